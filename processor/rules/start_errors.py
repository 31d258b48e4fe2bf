"""The runtime refuses to start the container: its command is missing, may not run, or is built for another machine.

Sources: containerd internal/cri/server/container_start.go (StartError, 128), dockershim (ContainerCannotRun, 126 and 127), runc, crun.
"""

import re
from typing import Final, cast

from processor.history import End
from processor.messages import Form, runtime_point, start_error_cause, unfit_executable
from processor.rules.reason import Reason, short_text
from processor.rules.view import Source, Subject, View, status_evidence
from schemas.diagnosis import CauseId

#: The executable that a runtime's message names: runc quotes it after "exec:", crun in back quotes, runc's init leaves it bare.
_NAMED: Final = re.compile(r"exec:? [`\"]?([^\s:`\"]{1,256})[`\"]?:|executable file `([^`]+)`")


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
            _start_steps(subject, text),
            base,
            at_once=True,
        )
    return exec_reason(subject, cause, text, base, 0.96)


def _start_steps(subject: Subject, text: str) -> tuple[str, ...]:
    where = f"spec.containers[{subject.name}]"
    cwd = re.search(r'chdir to cwd \("([^"]+)"\)', text.replace('\\"', '"'))
    if cwd is not None:
        return (f"Correct {where}.workingDir: {cwd[1]} is missing in the image, or may not be entered",)
    if "unable to find user" in text or "no matching entries in passwd" in text:
        return (f"Correct {where}.securityContext.runAsUser, or USER in the image",)
    if "hook" in text or "nvidia" in text.lower():
        return ("Look at the node's container hooks and device drivers: the runtime's log on the node",)
    if "not a directory" in text or "mount" in text:
        return (f"Correct {where}.volumeMounts: a file is mounted over a directory, or the reverse; see subPath",)
    return ("Read the runtime's whole message: kubectl describe pod", "On the node: crictl ps -a, and the runtime's log")


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
    name = _quoted(text) or (subject.container.command[0] if subject.container.command else None)
    shown = f": {name}" if name is not None else ""
    program = name or "the program"
    words = {
        "oom_killed": "its memory limit is too low to start it at all",
        "command_not_found": f"its command does not exist in the image{shown}",
        "permission_denied_exec": f"its command {'is a directory' if 'is a directory' in text else 'may not be executed'}{shown}",
        "architecture_mismatch": "its program is built for another processor architecture than the node's (exec format error)",
    }
    fixes = {
        "oom_killed": ("Raise resources.limits.memory",),
        "command_not_found": (
            f"Correct spec.containers[{subject.name}].command{': ' + command if command else ''}",
            f"Or add {program} to the image",
        ),
        "permission_denied_exec": (f"chmod +x {program} in the image", "Or correct securityContext.runAsUser"),
        "architecture_mismatch": (
            "Build the image for the node's architecture (docker buildx build --platform …)",
            "Or select nodes with kubernetes.io/arch in spec.nodeSelector",
        ),
    }
    return Reason(cast("CauseId", cause), confidence, words[cause], fixes[cause], base, at_once=True)


def _quoted(text: str) -> str | None:
    found = _NAMED.search(text.replace('\\"', '"'))
    return found[1] if found is not None else None


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
