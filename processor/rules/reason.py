"""A reason: why an instance ended, and the few words and commands that every reason uses."""

from dataclasses import dataclass

from processor.rules.view import Source, Subject, View
from schemas.diagnosis import CauseId


@dataclass(slots=True)
class Reason:
    """Why one instance ended."""

    cause: CauseId
    confidence: float
    summary: str
    remediation: tuple[str, ...]
    evidence: list[Source]
    alternatives: tuple[tuple[CauseId, float], ...] = ()
    at_once: bool = False
    probe_kind: str | None = None
    probe_output: str | None = None


def log_of(subject: Subject) -> list[Source]:
    """The newest log tail as evidence, if there is one."""
    log = subject.last_log
    return [log] if log is not None and log.text else []


def logs_command(view: View, subject: Subject) -> str:
    """The command that shows the log of the instance that ended: the previous one, once it was started again."""
    command = f"kubectl -n {view.track.namespace} logs {view.track.name} -c {subject.name}"
    return command if subject.container.restart_count == 0 and not subject.is_running else f"{command} --previous"


def describe_command(view: View) -> str:
    """The command that describes the pod."""
    return f"kubectl -n {view.track.namespace} describe pod {view.track.name}"


def last_words(subject: Subject, message: str | None) -> str | None:
    """The last line of its log, else of its termination message, cut to 120 characters, or None."""
    log = subject.last_log
    lines = [line.strip() for line in (log.text if log is not None else message or "").splitlines() if line.strip()]
    return (lines[-1] if len(lines[-1]) <= 120 else lines[-1][:119] + "…") if lines else None


def short_text(text: str) -> str:
    """A text on one line, cut to 160 characters."""
    words = " ".join(text.split())
    return words if len(words) <= 160 else words[:159] + "…"
