"""Which ends of a container are failures, and when it is well again: no cause is decided here."""

from typing import Final

from processor.history import End
from processor.messages import Form
from processor.rules.probe_kills import find_kill
from processor.rules.view import Subject, View

_SIGNAL_NUMBERS: Final = {4: 132, 6: 134, 7: 135, 8: 136, 11: 139, 9: 137, 15: 143}


def abnormal_ends(view: View, subject: Subject) -> list[End]:
    """The ends that nothing intended: no deletion, planned restart, sandbox change, completion or lost node explains them."""
    if subject.abnormal is None:
        settled = view.settled_ms(subject.name, "container_restarts")
        subject.abnormal = [end for end in subject.facts.ends if end.at_ms > settled and not _is_benign(view, subject, end)]
    return subject.abnormal


def _is_benign(view: View, subject: Subject, end: End) -> bool:
    if end.terminating or view.pod.reason in _POD_REASONS_THAT_EXPLAIN:
        return True
    if is_lost(end):
        return not _stays_lost(view, subject, end)
    if code_of(end) == 0 and end.reason != "OOMKilled" and _may_complete(view, subject):
        return not _was_killed(view, subject, end)
    if subject.type == "sidecar" and _mains_have_ended(view):
        return True
    if _was_planned(view, subject, end):
        return True
    return _was_sandbox(view, end)


_POD_REASONS_THAT_EXPLAIN: Final = frozenset(
    {"Evicted", "Preempting", "Terminated", "Shutdown", "NodeShutdown", "DeadlineExceeded", "NodeLost"}
)


def code_of(end: End) -> int | None:
    """The exit code, taking a bare signal number for 128 + n."""
    if (end.exit_code is None or end.exit_code == 0) and end.signal:
        return _SIGNAL_NUMBERS.get(end.signal, 128 + end.signal)
    return end.exit_code


def is_lost(end: End) -> bool:
    """Whether the exit was lost over a restart of the node or the runtime (containerd restart.go; kubelet_pods.go:2138)."""
    return end.reason == "ContainerStatusUnknown" or (end.exit_code == 255 and end.reason == "Unknown")


def _was_killed(view: View, subject: Subject, end: End) -> bool:
    """Whether a probe is known to have killed it: then its 0 is no completion (kubernetes issue 109537)."""
    if (
        subject.container.liveness is None
        and subject.container.startup is None
        and view.latest(Form.PROBE_KILL, subject.name) is None
    ):
        return False
    kill = find_kill(view, subject, end)
    return kill is not None and kill.certainty >= 0.9


def _stays_lost(view: View, subject: Subject, end: End) -> bool:
    """Whether the container that was lost has not come back in the time in which every pod starts."""
    state = subject.container.state
    if state is None or state.terminated is None or end is not subject.facts.ends[-1] or view.pod.deletion_at is not None:
        return False
    return view.passed(end.seen_ms + view.settings.not_started_after_seconds * 1000)


def _may_complete(view: View, subject: Subject) -> bool:
    if subject.type == "init":
        return True
    policy = subject.container.restart_policy or view.pod.restart_policy
    if subject.type == "sidecar" or policy == "Always":
        return False
    if policy in ("OnFailure", "Never") or view.pod.phase == "Succeeded":
        return True
    controller = view.pod.controller or view.pod.owner
    if controller is not None and controller.kind in ("Job", "CronJob"):
        return True
    # The policy is not known: being restarted after a 0 shows that it is Always.
    return not subject.facts.restarts or max(count for _, count in subject.facts.restarts) == 0


def _mains_have_ended(view: View) -> bool:
    mains = [container for container in view.pod.containers if container.type == "app"]
    return bool(mains) and all(main.state is not None and main.state.terminated is not None for main in mains)


def _was_planned(view: View, subject: Subject, end: End) -> bool:
    if subject.facts.definition_changed_ms is None and not view.has(Form.PLANNED_RESTART):
        return False
    slack = max(60, view.pod.termination_grace_period_seconds or 30) * 1000 + 5000
    for signal in view.of(Form.PLANNED_RESTART, subject.name):
        if end.at_ms - slack <= signal.at_ms <= end.at_ms + 5000:
            return True
    changed = subject.facts.definition_changed_ms
    return changed is not None and abs(end.seen_ms - changed) <= slack


def _was_sandbox(view: View, end: End) -> bool:
    if end.reason in ("OOMKilled", "StartError") or not view.has(Form.SANDBOX_CHANGED):
        return False
    return any(end.at_ms - 120_000 <= signal.at_ms <= end.at_ms + 120_000 for signal in view.of(Form.SANDBOX_CHANGED))


def has_recovered(view: View, subject: Subject, moment_ms: int) -> bool:
    """Whether, by a moment, the container has run long enough since its last start to be well again."""
    needed = view.settings.recovered_after_seconds * 1000
    since = subject.facts.running_since_ms
    if subject.is_running and since is not None:
        since = max(
            [
                since,
                *(signal.at_ms for signal in view.of(Form.PROBE_KILL, subject.name) if _is_after_start(signal.at_ms, since)),
            ]
        )
        if moment_ms - since < needed:
            view.wake_at(since + needed)
        return moment_ms - since >= needed
    if view.has_pod and subject.container.state is not None:
        return False
    started = view.latest(Form.STARTED, subject.name)
    if started is None:
        return False
    troubles = [signal.at_ms for form in TROUBLES for signal in view.of(form, subject.name)]
    # Without a status, silence is the only sign, and visible repeats of a back-off can be 390 s apart (event spam filter).
    quiet_since = max([started.at_ms, *(trouble + 400_000 for trouble in troubles)])
    if moment_ms - quiet_since < needed:
        view.wake_at(quiet_since + needed)
    return moment_ms - quiet_since >= needed


TROUBLES: Final = (Form.CRASH_BACKOFF, Form.PROBE_KILL, Form.HOOK_FAILED)


def _is_after_start(at_ms: int, since_ms: int) -> bool:
    return at_ms > since_ms + 2000


def has_completed(view: View, subject: Subject) -> bool:
    """Whether the container ended with 0 where that is the purpose."""
    if view.pod.phase == "Succeeded":
        return True
    state = subject.container.state
    ended = state.terminated if state is not None else None
    return (
        ended is not None
        and ended.exit_code == 0
        and ended.reason != "OOMKilled"
        and _may_complete(view, subject)
        and view.has_pod
    )
