"""Diagnoses for people and for pipes: table, plain lines, JSON lines.

Text that comes from a cluster is untrusted: control characters never reach the terminal, and nothing in it is taken for markup.
It must not decide anything about a diagnosis.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from schemas.diagnosis import Diagnosis, Evidence, Severity

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_STYLES: Final[dict[Severity, str]] = {"critical": "bold red", "error": "red", "warning": "yellow", "info": "green"}


def clean(text: str) -> str:
    """One line, without anything that a terminal would obey."""
    return _CONTROL.sub(" ", text).strip()


def where(diagnosis: Diagnosis) -> str:
    """``namespace/workload``, and the pod where the workload is another object."""
    k8s = diagnosis.k8s
    workload = f"{k8s.workload.kind.lower()}/{k8s.workload.name}"
    place = f"{k8s.namespace.name} {workload}"
    return clean(place if k8s.workload.name == k8s.pod.name else f"{place} pod/{k8s.pod.name}")


def container(diagnosis: Diagnosis) -> str:
    """The container, with its type when it is no ordinary one; ``-`` for the pod itself."""
    found = diagnosis.k8s.container
    if found is None:
        return "-"
    return clean(found.name if found.type in (None, "app") else f"{found.name} ({found.type})")


def state(diagnosis: Diagnosis) -> str:
    """``opened``, ``updated``, or ``resolved (recovered)``."""
    body = diagnosis.diagnosis
    return f"{body.state} ({body.resolution})" if body.resolution else body.state


def style(diagnosis: Diagnosis) -> str:
    """The colour of its severity."""
    return _STYLES[diagnosis.severity]


def evidence_line(item: Evidence) -> str:
    """One evidence item on one line."""
    reason = f" {item.reason}" if item.reason else ""
    count = f" x{item.count}" if item.count and item.count > 1 else ""
    when = item.last_at or item.first_at or ""
    return clean(f"{when + ' ' if when else ''}{item.kind}{reason}{count}: {item.text}")


def newest_revisions(revisions: Iterable[Diagnosis]) -> list[Diagnosis]:
    """The last revision of each episode, in the order in which the episodes opened."""
    newest: dict[str, Diagnosis] = {}
    for revision in revisions:
        newest[revision.diagnosis.id] = revision
    return list(newest.values())


def further_steps(diagnosis: Diagnosis) -> list[str]:
    """What to do, as far as the message does not say it already; nothing once it is resolved."""
    if diagnosis.diagnosis.state == "resolved":
        return []
    message = clean(diagnosis.message)
    return [step for step in map(clean, diagnosis.diagnosis.remediation) if step not in message]


def headline(diagnosis: Diagnosis) -> str:
    """One line that can be grepped: time, state, severity, where, container, cause, confidence, how often."""
    body = diagnosis.diagnosis
    return (
        f"{diagnosis.timestamp} {state(diagnosis)} {diagnosis.severity} {where(diagnosis)} {container(diagnosis)} "
        f"{body.cause.id} {body.cause.confidence:.2f} x{body.occurrences}"
    )


def plain_lines(diagnosis: Diagnosis, *, evidence: bool) -> Iterator[str]:
    """A diagnosis as lines of plain text: the headline, then what it says, what to do, and why we think so."""
    yield headline(diagnosis)
    yield f"    {clean(diagnosis.message)}"
    for step in further_steps(diagnosis):
        yield f"    do: {step}"
    if evidence:
        for item in diagnosis.evidence:
            yield f"    evidence: {evidence_line(item)}"


def table(diagnoses: Iterable[Diagnosis], *, evidence: bool, cluster: bool = False) -> Table:
    """Diagnoses as a table for a terminal, one row each."""
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False, expand=True)
    view.add_column("state", no_wrap=True)
    view.add_column("severity", no_wrap=True)
    view.add_column("workload", overflow="fold", ratio=3)
    view.add_column("container", overflow="fold", ratio=2)
    view.add_column("cause", overflow="fold", ratio=3)
    view.add_column("why, and what to do", overflow="fold", ratio=8)
    for diagnosis in diagnoses:
        colour = style(diagnosis)
        place = f"{clean(diagnosis.k8s.cluster.name)} {where(diagnosis)}" if cluster else where(diagnosis)
        view.add_row(
            Text("\n".join(state(diagnosis).split(" ", maxsplit=1)), style=colour),
            Text(diagnosis.severity, style=colour),
            Text(place.replace(" ", "\n")),
            Text(container(diagnosis)),
            Text(f"{diagnosis.diagnosis.cause.id}\n{diagnosis.diagnosis.cause.confidence:.2f}"),
            _explanation(diagnosis, evidence=evidence),
        )
    return view


def _explanation(diagnosis: Diagnosis, *, evidence: bool) -> Group:
    lines = [Text(clean(diagnosis.message))]
    lines.extend(Text(f"→ {step}", style="cyan") for step in further_steps(diagnosis))
    if evidence:
        lines.extend(Text(f"· {evidence_line(item)}", style="dim") for item in diagnosis.evidence)
    return Group(*lines)


def show(console: Console, diagnoses: list[Diagnosis], *, evidence: bool) -> None:
    """Print diagnoses: a table on a terminal, plain lines elsewhere."""
    if console.is_terminal:
        console.print(table(diagnoses, evidence=evidence))
        return
    for diagnosis in diagnoses:
        for line in plain_lines(diagnosis, evidence=evidence):
            console.file.write(f"{line}\n")
