"""Whether a probe killed an instance: by the Killing event, by what restartPolicy Never hides, or by how it lived and ended.

Sources: pkg/kubelet/kuberuntime/kuberuntime_manager.go:1147-1231, pkg/kubelet/prober/worker.go.
"""

from dataclasses import dataclass

from processor.history import End, Signal
from processor.messages import Form
from processor.rules.probes import earliest_kill_ms, latest_first_kill_ms, probe_of
from processor.rules.view import Source, Subject, View, duration_text, spec_evidence
from schemas.observation import Probe


@dataclass(frozen=True, slots=True)
class Kill:
    """A probe killed an instance: which one, and how sure that is (0 to 1)."""

    kind: str
    certainty: float
    at_ms: int
    evidence: tuple[Source, ...]


def grace_ms(view: View, probe: Probe | None) -> int:
    """The grace period of a probe's kill: the probe's own, else the pod's, at least 2 s (kuberuntime_container.go)."""
    own = probe.termination_grace_period_seconds if probe is not None else None
    pod = view.pod.termination_grace_period_seconds
    seconds = own if own is not None else (pod if pod is not None else 30)
    return max(2, seconds) * 1000


def find_kill(view: View, subject: Subject, end: End) -> Kill | None:
    """The probe that killed an instance, or None. Status alone can tell, with less certainty than a Killing event."""
    started = end.started_ms if end.started_ms is not None else 0
    finished = end.finished_ms if end.finished_ms is not None else end.at_ms
    skew = end.at_ms - finished
    kill = _said_kill(view, subject, end, started + skew, finished + skew)
    if kill is None:
        kill = _like_an_earlier_one(view, subject, end)
    if kill is not None:
        end.killed_by = kill.kind
        return kill
    for kind in ("startup", "liveness"):
        inferred = _inferred_kill(view, subject, end, kind, started + skew, finished + skew)
        if inferred is not None:
            return inferred
    return None


def _like_an_earlier_one(view: View, subject: Subject, end: End) -> Kill | None:
    """The event budget runs out and the loop goes on: who ends like an instance that a probe is known to have killed was killed too."""
    kind = end.killed_by
    if kind is None:
        for other in subject.facts.ends:
            if (
                other is not end
                and other.killed_by is not None
                and other.exit_code == end.exit_code
                and _lived_alike(other, end)
            ):
                kind = other.killed_by
    if kind is None:
        return None
    finished = end.at_ms
    lived = _lived_ms(end)
    at = finished - (_ignored_grace_ms(view, probe_of(subject, kind), end, lived) if lived is not None else 0)
    failed = view.latest(Form.PROBE_FAILED, subject.name, kind)
    return Kill(kind, 0.9, at, (failed,) if failed is not None else ())


def _lived_ms(end: End) -> int | None:
    return end.finished_ms - end.started_ms if end.finished_ms is not None and end.started_ms is not None else None


def _lived_alike(one: End, other: End) -> bool:
    first, second = _lived_ms(one), _lived_ms(other)
    return first is not None and second is not None and abs(first - second) <= max(5000, first * 3 // 10)


def _said_kill(view: View, subject: Subject, end: End, started: int, finished: int) -> Kill | None:
    slack = 5000
    best: Signal | None = None
    best_within = False
    for signal in view.of(Form.PROBE_KILL, subject.name):
        begins = signal.first_ms <= finished + slack
        within = started - slack <= signal.at_ms <= finished + slack
        # One merged event covers many kills: an instance between its first and last repeat was most likely one of them.
        covered = signal.count > 1 and begins and signal.at_ms >= started - slack
        if (within or covered) and (best is None or (within, signal.at_ms) > (best_within, best.at_ms)):
            best, best_within = signal, within
    if best is not None:
        kind = best.probe or "liveness"
        failed = view.latest(Form.PROBE_FAILED, subject.name, kind)
        evidence = (best, *((failed,) if failed is not None else ()))
        at = best.at_ms if best_within else finished - _ignored_grace_ms(view, probe_of(subject, kind), end, finished - started)
        return Kill(kind, 0.98, min(at, finished), evidence)
    if view.pod.restart_policy in (None, "Never") and view.pod.deletion_at is None:
        return _hidden_kill(view, subject, started, finished)
    return None


def _ignored_grace_ms(view: View, probe: Probe | None, end: End, lived_ms: int) -> int:
    """How long before its end the kill of an instance began: the grace period, when only SIGKILL ended it."""
    grace = grace_ms(view, probe)
    return grace if end.exit_code == 137 and lived_ms > grace else 0


def _hidden_kill(view: View, subject: Subject, started: int, finished: int) -> Kill | None:
    """RestartPolicy Never: the kubelet kills the whole pod and says only ``Stopping container`` (kuberuntime_manager.go:1185)."""
    stop = view.latest(Form.PLAIN_STOP, subject.name)
    if stop is None or not started - 5000 <= stop.at_ms <= finished + 5000:
        return None
    for kind in ("liveness", "startup"):
        failed = view.latest(Form.PROBE_FAILED, subject.name, kind)
        probe = probe_of(subject, kind)
        period = (probe.period_seconds if probe is not None else 10) * 1000
        if probe is not None and started > 0 and stop.at_ms - started + 2000 < earliest_kill_ms(probe):
            continue
        if failed is not None and stop.at_ms - period - 3000 <= failed.at_ms <= stop.at_ms + 3000:
            return Kill(kind, 0.9, stop.at_ms, (stop, failed))
    return None


def _inferred_kill(view: View, subject: Subject, end: End, kind: str, started: int, finished: int) -> Kill | None:
    probe = probe_of(subject, kind)
    failed = view.latest(Form.PROBE_FAILED, subject.name, kind)
    if probe is None and (failed is None or (view.has_pod and subject.container.image is not None)):
        return None
    if kind == "startup" and subject.facts.ever_started and end.started_ms is None:
        return None
    if end.reason in ("OOMKilled", "StartError", "ContainerCannotRun", "ContainerStatusUnknown"):
        return None
    if end.exit_code in (126, 127, 128, 132, 134, 135, 136, 139):
        return None
    lived = finished - started if started > 0 else None
    grace = grace_ms(view, probe)
    killed_hard = end.exit_code == 137
    if probe is not None and lived is not None and lived + 2000 < earliest_kill_ms(probe):
        return None
    if failed is not None:
        threshold = probe.failure_threshold if probe is not None else 3
        period = (probe.period_seconds if probe is not None else 10) * 1000
        kill_at = finished - (_ignored_grace_ms(view, probe, end, lived) if lived is not None else 0)
        near = started - 2000 <= failed.at_ms <= finished + 3000 and failed.at_ms >= kill_at - 2 * period - 3000
        chronic = failed.count >= 2 * threshold and failed.at_ms >= finished - view.window_ms - grace
        if failed.count >= threshold and (near or (chronic and failed.first_ms <= finished)):
            certainty = _certainty(end, probe, surely=near or _earlier_said(view, subject))
            if certainty >= 0.6 or end.exit_code not in (0, 1):
                return Kill(kind, certainty, kill_at, (failed,))
    if probe is None or lived is None or end.exit_code not in (137, 143):
        return None
    if kind == "startup" and not _within_first_kill(probe, lived, grace if killed_hard else 0):
        return None
    if _earlier_said(view, subject):
        return Kill(kind, 0.85, finished, ())
    if failed is None and any(started <= signal.at_ms <= finished + 3000 for signal in view.signals):
        # Events of this life arrived, and none of them is a failed probe.
        return None
    certainty = 0.65 if _within_first_kill(probe, lived, grace if killed_hard else 0) else 0.55
    text = f"ended with {end.exit_code} after {duration_text(lived)}; its {kind} probe can kill it after {duration_text(earliest_kill_ms(probe))} at the earliest"
    return Kill(kind, certainty, finished, (spec_evidence(view, text),))


def _certainty(end: End, probe: Probe | None, *, surely: bool) -> float:
    """How sure a kill is that no event tells of: by the exit code, and by what else points to the probe."""
    if end.exit_code in (137, 143):
        return 0.9 if surely else 0.85
    return 0.85 if _lives_alike(end, probe) else 0.5


def _earlier_said(view: View, subject: Subject) -> bool:
    return any(True for _ in view.of(Form.PROBE_KILL, subject.name))


def _within_first_kill(probe: Probe, lived_ms: int, grace: int) -> bool:
    return earliest_kill_ms(probe) - 1500 <= lived_ms - grace <= latest_first_kill_ms(probe) or (
        grace > 0 and earliest_kill_ms(probe) - 1500 <= lived_ms <= latest_first_kill_ms(probe)
    )


def _lives_alike(end: End, probe: Probe | None) -> bool:
    """Whether the instance lived about as long as the probe needs to kill one that never answers."""
    if probe is None or end.started_ms is None or end.finished_ms is None:
        return False
    lived = end.finished_ms - end.started_ms
    return earliest_kill_ms(probe) - 1500 <= lived <= latest_first_kill_ms(probe)
