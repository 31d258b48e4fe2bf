"""The runtime refuses to start the container: its command is missing, may not run, or is built for another machine.

Sources: containerd internal/cri/server/container_start.go (StartError, 128), dockershim (ContainerCannotRun, 126 and 127), runc, crun.
"""

from typing import cast

from processor.history import End
from processor.messages import Form, runtime_point, start_error_cause, unfit_executable
from processor.rules.reason import Reason, short_text
from processor.rules.view import Source, Subject, View, status_evidence
from schemas.diagnosis import CauseId


def start_error(view: View, subject: Subject, end: End, base: list[Source]) -> Reason | None:
    """The reason of an end that was no run at all, or None when it was one."""
    start_failed = end.reason in ("StartError", "ContainerCannotRun") or (end.exit_code == 128 and end.started_ms is None)
    if not start_failed:
        return None
    text = end.message or subject.facts.start_error or ""
    signal = view.latest(Form.CREATE_FAILED, subject.name)
    if not text and signal is not None:
        text = signal.text
    cause = start_error_cause(text)
    if cause is None and end.exit_code == 127:
        cause = "command_not_found"
    if cause is None and end.exit_code == 126:
        cause = "permission_denied_exec"
    if cause is None:
        return Reason(
            "create_container_error",
            0.7,
            f"the runtime cannot start it: {short_text(runtime_point(text))}",
            ("Read the runtime's message in the evidence",),
            base,
            at_once=True,
        )
    return exec_reason(subject, cause, text, base, 0.96)


def refused_in_log(subject: Subject, end: End, base: list[Source]) -> Reason | None:
    """The reason of an end whose own log or message says that the program could not be executed: runc's init says so there."""
    own = [log for log in subject.facts.logs if log.container_id == end.key]
    tails: list[tuple[str, list[Source]]] = [(log.text, [*base, log]) for log in own or subject.facts.logs[-1:]]
    if end.message:
        tails.append((end.message, base))
    for text, evidence in tails:
        line = unfit_executable(text)
        cause = start_error_cause(line) if line is not None else None
        if cause is not None and line is not None:
            return exec_reason(subject, cause, line, evidence, 0.9)
    return None


def exec_reason(subject: Subject, cause: str, text: str, base: list[Source], confidence: float) -> Reason:
    """The reason for a cause that names the executable."""
    command = " ".join(subject.container.command)[:120]
    name = _quoted(text) or (subject.container.command[0] if subject.container.command else "its command")
    words = {
        "oom_killed": "its memory limit is too low to start it at all",
        "command_not_found": f"its command does not exist in the image: {name}",
        "permission_denied_exec": f"its command may not be executed: {name}",
        "architecture_mismatch": "its program is built for another processor architecture than the node's (exec format error)",
    }
    fixes = {
        "oom_killed": ("Raise resources.limits.memory",),
        "command_not_found": (
            f"Correct spec.containers[{subject.name}].command{': ' + command if command else ''}",
            f"Or add {name} to the image",
        ),
        "permission_denied_exec": (f"chmod +x {name} in the image", "Or correct securityContext.runAsUser"),
        "architecture_mismatch": (
            "Build the image for the node's architecture (docker buildx build --platform …)",
            "Or select nodes with kubernetes.io/arch in spec.nodeSelector",
        ),
    }
    return Reason(cast("CauseId", cause), confidence, words[cause], fixes[cause], base, at_once=True)


def _quoted(text: str) -> str | None:
    _, found, rest = text.partition('exec: "')
    return rest.partition('"')[0] or None if found else None


def start_refused(view: View, subject: Subject) -> Reason | None:
    """The runtime refuses to start it, and no termination is known: the waiting message or the Failed event tells."""
    settled = view.settled_ms(subject.name, "container_restarts")
    text = (
        subject.facts.start_error
        if subject.waiting_reason in ("RunContainerError", "CreateContainerError", "CrashLoopBackOff")
        else None
    )
    evidence: list[Source] = [status_evidence(view, subject.waiting_reason, text)] if text else []
    signal = view.latest(Form.CREATE_FAILED, subject.name)
    if signal is not None and signal.at_ms > settled and view.is_fresh(signal.at_ms) and not subject.is_running:
        evidence.append(signal)
        text = text or signal.text
    cause = start_error_cause(text) if text else None
    if cause is None or text is None:
        return None
    return exec_reason(subject, cause, text, evidence, 0.93)
