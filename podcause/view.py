"""What `podcause demo` shows while diagnoses arrive: a live table on a terminal, plain lines elsewhere, JSON lines for pipes.

Progress goes to stderr, diagnoses to stdout. It must not talk to Kafka and must not decide anything.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self, TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from podcause.rendering import clean, container, headline, plain_lines, state, style, table, where
from schemas.diagnosis import Diagnosis

_REFRESHES_PER_SECOND: Final = 8
#: Lines of the screen that are not rows of the table: head, progress, and the newest diagnosis in full.
_OTHER_LINES: Final = 14


@dataclass(frozen=True, slots=True)
class Silent:
    """Pods of one workload that nothing was said about."""

    namespace: str
    workload: str
    pods: int
    deleted: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run: the last revision of each episode, the pods that stayed silent, how many observations went through."""

    newest: tuple[Diagnosis, ...]
    silent: tuple[Silent, ...]
    observations: int
    revisions: int


class View(Protocol):
    """Where a run's progress and diagnoses are shown."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the terminal back."""

    def progress(self, text: str) -> None:
        """Say what is going on."""

    def show(self, diagnosis: Diagnosis, value: bytes) -> None:
        """Show one revision: the record, and its bytes on the topic."""

    def finish(self, summary: Summary) -> None:
        """Show the end."""


class _Progress:
    """Progress lines with seconds since the start, on stderr."""

    def __init__(self, stderr: TextIO) -> None:
        self._stderr = stderr
        self._began = time.monotonic()

    def stamped(self, text: str) -> str:
        """The text with the seconds since the start."""
        return f"[{time.monotonic() - self._began:5.1f} s] {text}"

    def line(self, text: str) -> None:
        """Print it."""
        self._stderr.write(f"{self.stamped(text)}\n")
        self._stderr.flush()


class JsonLinesView:
    """Each revision as it is on the topic, one a line; nothing else on stdout."""

    def __init__(self, stdout: BinaryIO, stderr: TextIO) -> None:
        self._stdout = stdout
        self._progress = _Progress(stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing was taken from the terminal."""

    def progress(self, text: str) -> None:
        """Say what is going on, on stderr."""
        self._progress.line(text)

    def show(self, diagnosis: Diagnosis, value: bytes) -> None:  # noqa: ARG002 - the bytes are the record
        """Write one record."""
        self._stdout.write(value + b"\n")
        self._stdout.flush()

    def finish(self, summary: Summary) -> None:
        """The summary is for people: stderr."""
        for line in summary_lines(summary):
            self._progress.line(line)


class PlainView:
    """Plain lines: for a pipe, a file, a CI log."""

    def __init__(self, stdout: TextIO, stderr: TextIO, *, evidence: bool) -> None:
        self._stdout = stdout
        self._progress = _Progress(stderr)
        self._evidence = evidence
        self._causes: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing was taken from the terminal."""

    def progress(self, text: str) -> None:
        """Say what is going on, on stderr."""
        self._progress.line(text)

    def show(self, diagnosis: Diagnosis, value: bytes) -> None:  # noqa: ARG002 - the view of people needs no bytes
        """Print one revision."""
        cause = diagnosis.diagnosis.cause.id
        if diagnosis.diagnosis.state == "updated" and self._causes.get(diagnosis.diagnosis.id) == cause:
            lines = [headline(diagnosis)]  # what to do has been said
        else:
            lines = list(plain_lines(diagnosis, evidence=self._evidence))
        self._causes[diagnosis.diagnosis.id] = cause
        self._stdout.write("".join(f"{line}\n" for line in lines))
        self._stdout.flush()

    def finish(self, summary: Summary) -> None:
        """Print the summary."""
        self._stdout.write("\n" + "\n".join(summary_lines(summary)) + "\n")
        self._stdout.flush()


class LiveView:
    """A table on a terminal that changes as episodes open, change and resolve; in the end everything in full."""

    def __init__(self, console: Console, *, evidence: bool) -> None:
        self._console = console
        self._evidence = evidence
        self._progress = _Progress(sys.stderr)
        self._doing = ""
        self._newest: dict[str, Diagnosis] = {}
        self._last: Diagnosis | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the terminal back, whatever happened."""
        self._stop()

    def progress(self, text: str) -> None:
        """A line on stderr before the table is there, a line above it afterwards."""
        if self._live is None:
            self._progress.line(text)
        self._doing = self._progress.stamped(text)
        self._refresh()

    def show(self, diagnosis: Diagnosis, value: bytes) -> None:  # noqa: ARG002 - the view of people needs no bytes
        """Put one revision into the table; the newest change comes last."""
        self._newest.pop(diagnosis.diagnosis.id, None)
        self._newest[diagnosis.diagnosis.id] = diagnosis
        self._last = diagnosis
        if self._live is None:
            self._live = Live(self._picture(), console=self._console, refresh_per_second=_REFRESHES_PER_SECOND, transient=True)
            self._live.start()
        self._refresh()

    def finish(self, summary: Summary) -> None:
        """Leave the whole table, with what to do, and the summary on the screen."""
        self._stop()
        if summary.newest:
            self._console.print(table(summary.newest, evidence=self._evidence))
        for line in summary_lines(summary):
            self._console.print(Text(line))

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._picture())

    def _picture(self) -> RenderableType:
        rows = list(self._newest.values())
        room = max(3, self._console.height - _OTHER_LINES)
        hidden = len(rows) - room
        view = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
        for heading, ratio in (("state", 2), ("workload", 4), ("container", 2), ("cause", 3), ("sure", 1), ("times", 1)):
            view.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=ratio)
        for diagnosis in rows[max(0, hidden) :]:
            body = diagnosis.diagnosis
            view.add_row(
                Text(state(diagnosis), style=style(diagnosis)),
                Text(where(diagnosis)),
                Text(container(diagnosis)),
                Text(body.cause.id, style="bold"),
                Text(f"{body.cause.confidence:.2f}"),
                Text(str(body.occurrences)),
            )
        parts: list[RenderableType] = [Text(self._doing, style="dim", no_wrap=True, overflow="ellipsis"), view]
        if hidden > 0:
            parts.append(Text(f"and {hidden} that changed earlier", style="dim"))
        if self._last is not None:
            parts.extend(Text(line) for line in list(plain_lines(self._last, evidence=self._evidence))[: _OTHER_LINES - 7])
        return Group(*parts)


def summary_lines(summary: Summary) -> Iterable[str]:
    """The end in words: episodes by cause, then who stayed silent."""
    yield (
        f"{summary.observations} observations, {summary.revisions} diagnosis records, {len(summary.newest)} episodes, "
        f"{sum(item.diagnosis.state == 'resolved' for item in summary.newest)} of them resolved"
    )
    causes = Counter(item.diagnosis.cause.id for item in summary.newest)
    for cause, episodes in sorted(causes.items(), key=lambda item: (-item[1], item[0])):
        workloads = sorted({clean(f"{item.k8s.namespace.name}/{item.k8s.workload.name}") for item in summary.newest
                            if item.diagnosis.cause.id == cause})  # fmt: skip
        yield f"  {cause}: {episodes} ({', '.join(workloads)})"
    if summary.silent:
        yield "no diagnosis:"
    for silent in summary.silent:
        gone = f", {silent.deleted} of them deleted" if silent.deleted else ""
        pods = "pod" if silent.pods == 1 else "pods"
        yield f"  {clean(silent.namespace)} {clean(silent.workload)}: {silent.pods} {pods}{gone}"
