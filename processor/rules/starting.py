"""The pod does not get as far as its first container: no node, no volume, no sandbox.

Sources: pkg/scheduler/schedule_one.go, pkg/volume/util/operationexecutor/operation_generator.go, pkg/kubelet/kuberuntime/kuberuntime_manager.go.
"""

import re
from typing import Final

from processor.history import Signal, time_ms
from processor.messages import Form, start_error_cause
from processor.rules.view import CauseDoc, Source, Verdict, View, bytes_text, status_evidence
from schemas.diagnosis import CauseId

CAUSES: Final = (
    CauseDoc(
        "unschedulable",
        "not_started",
        "No node fits the pod.",
        "PodScheduled is False, or FailedScheduling, for two minutes.",
        ("Read the scheduler's message: requests, selectors, taints, unbound claims.",),
    ),
    CauseDoc(
        "volume_mount_failed",
        "not_started",
        "A volume cannot be attached or mounted.",
        "FailedMount, FailedAttachVolume or FailedMapVolume for two minutes, and no container has started.",
        ("Read the volume's message: missing objects, paths, other nodes that hold it.",),
    ),
    CauseDoc(
        "sandbox_failed",
        "not_started",
        "The runtime or the network plugin cannot make the pod's sandbox.",
        "FailedCreatePodSandBox or NetworkNotReady for two minutes, and no container has started.",
        ("Look at the node's runtime and CNI plugin; addresses may have run out.",),
    ),
)

_VOLUME: Final = re.compile(r'volume "([^"]+)"')
_UNMOUNTED: Final = re.compile(r"unmounted volumes=\[([^\]]*)\]")
_PAST: Final = frozenset(
    {
        "CrashLoopBackOff",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "RunContainerError",
        "CreateContainerError",
        "CreateContainerConfigError",
        "PostStartHookError",
    }
)


def has_started(view: View) -> bool:
    """Whether any container got past node, volumes and sandbox."""
    for container in view.pod.containers:
        state = container.state
        if state is None:
            continue
        if state.running is not None or state.terminated is not None:
            return True
        if state.waiting is not None and state.waiting.reason in _PAST:
            return True
    return False


def _started_signal_ms(view: View) -> int:
    return max(
        (signal.at_ms for form in (Form.STARTED, Form.CREATED, Form.PULLED, Form.PULLING) for signal in view.of(form)),
        default=0,
    )


def decide(view: View) -> Verdict | None:
    """The verdict on a pod that does not start, or None."""
    verdict = _decide(view)
    if verdict is not None and view.settings.one_moment and view.now_ms - verdict.first_ms < 120_000:
        # A moment's delay looks the same; only a question about this moment is answered so early.
        verdict.confidence = round(verdict.confidence * 0.7, 2)
    return verdict


def _decide(view: View) -> Verdict | None:
    if view.pod.deletion_at is not None or view.pod.phase in ("Succeeded", "Failed"):
        return None
    if has_started(view):
        return None
    begun = _started_signal_ms(view)
    settled = view.settled_ms(None, "not_started")
    found: list[tuple[int, Form, Signal]] = []
    for form in (Form.VOLUME_FAILED, Form.SANDBOX_FAILED):
        signals = [signal for signal in view.of(form) if signal.at_ms > max(begun, settled) and view.is_fresh(signal.at_ms)]
        found.extend((signal.at_ms, form, signal) for signal in signals)
    if found:
        newest = max(found, key=lambda item: (item[0], item[2].key))
        return _stuck(view, newest[1], [item[2] for item in found if item[1] is newest[1]])
    return _unscheduled(view, begun, settled)


def _stuck(view: View, form: Form, signals: list[Signal]) -> Verdict | None:
    first = min(signal.first_ms for signal in signals)
    newest = max(signals, key=lambda signal: (signal.at_ms, signal.key))
    count = max(view.within_window(signal) for signal in signals)
    due = first + view.settings.not_started_after_seconds * 1000
    opens = view.passed(due) or (view.settings.one_moment and count >= 3)
    telling = _telling(signals)
    if form is Form.VOLUME_FAILED:
        return _volume(view, telling, newest, first, count, opens=opens)
    return _sandbox(view, telling, newest, first, count, opens=opens)


def _telling(signals: list[Signal]) -> Signal:
    """The signal whose text says most: a step's own error before the summary that waiting timed out."""
    return max(signals, key=lambda signal: (not signal.text.startswith("Unable to "), signal.at_ms, signal.key))


def _volume(view: View, telling: Signal, newest: Signal, first: int, count: int, *, opens: bool) -> Verdict:
    found = _VOLUME.search(telling.text) or _UNMOUNTED.search(telling.text)
    name = found[1] if found is not None else "?"
    why = telling.text.partition(" : ")[2] or telling.text.partition(": ")[2] or telling.text
    missing = re.search(r'(secret|configmap)s? "([^"]+)" not found', telling.text, re.IGNORECASE)
    namespace = view.track.namespace
    steps = [f"Look at spec.volumes[{name}]: {_short(why)}"]
    if missing is not None:
        kind = missing[1].lower()
        steps.insert(
            0, f"Create it: kubectl -n {namespace} create {kind} {'generic ' if kind == 'secret' else ''}{missing[2]} …"
        )
    elif "Multi-Attach" in telling.text:
        steps.insert(
            0,
            "Another node still holds the volume: wait for its detach, or delete the pod there; see kubectl get volumeattachments",
        )
    others: tuple[tuple[CauseId, float], ...] = (("config_missing", 0.3),) if missing is not None else ()
    evidence: list[Source] = [telling, newest] if newest is not telling else [telling]
    return _verdict(
        "volume_mount_failed",
        0.65 if missing is not None else 0.92,
        f"volume {name} cannot be mounted: {_short(why)}",
        tuple(steps),
        evidence,
        first,
        newest.at_ms,
        count,
        others,
        opens=opens,
    )


def _sandbox(view: View, telling: Signal, newest: Signal, first: int, count: int, *, opens: bool) -> Verdict:
    why = telling.text.partition(": ")[2] or telling.text
    if start_error_cause(telling.text) == "oom_killed":
        return _sandbox_oom(view, telling, first, count, opens=opens)
    steps = (
        "On the node: crictl pods; journalctl -u containerd (or crio) and the CNI plugin's log",
        "Check that addresses of the pod network are left and that the CNI plugin runs",
    )
    evidence: list[Source] = [telling, newest] if newest is not telling else [telling]
    return _verdict(
        "sandbox_failed",
        0.9,
        f"its sandbox cannot be made: {_short(why)}",
        steps,
        evidence,
        first,
        newest.at_ms,
        count,
        (("node_lost", 0.05),),
        opens=opens,
    )


def _sandbox_oom(view: View, telling: Signal, first: int, count: int, *, opens: bool) -> Verdict:
    """The memory limit is so low that runc's own init dies: the container with the lowest limit is the one to raise."""
    limited = sorted(
        (container.memory_limit_bytes, container.name)
        for container in view.pod.containers
        if container.memory_limit_bytes is not None
    )
    verdict = _verdict(
        "oom_killed",
        0.8,
        "its memory limit is too low to start it at all",
        ("Raise resources.limits.memory: container runtimes need some 10 MiB to start a container",),
        [telling],
        first,
        telling.at_ms,
        count,
        (("sandbox_failed", 0.2),),
        opens=opens,
    )
    if limited:
        verdict.container = limited[0][1]
        verdict.memory_limit_bytes = limited[0][0]
        verdict.summary = f"its memory limit of {bytes_text(limited[0][0])} is too low to start it at all"
        verdict.problem = "container_restarts"
        verdict.rule = "restarts.oom_killed"
    return verdict


def _unscheduled(view: View, begun: int, settled: int) -> Verdict | None:
    if view.pod.node is not None:
        return None
    condition = next((condition for condition in view.pod.conditions if condition.type == "PodScheduled"), None)
    if condition is not None and (condition.status == "True" or condition.reason == "SchedulingGated"):
        return None
    scheduled = max((signal.at_ms for signal in view.of(Form.SCHEDULED)), default=0)
    # The scheduler flushes repeats only every 30 min (client-go/tools/events), so age alone does not make it stale.
    signal = view.latest(Form.UNSCHEDULABLE)
    if signal is not None and signal.at_ms <= max(scheduled, settled, begun):
        signal = None
    if signal is None and (condition is None or scheduled > 0):
        return None
    if signal is None and condition is not None and condition.reason not in ("Unschedulable", "SchedulerError"):
        return None
    moments = [signal.first_ms] if signal is not None else []
    changed = time_ms(condition.last_transition_at) if condition is not None else None
    if changed is not None:
        moments.append(changed)
    first = min(moments, default=view.track.first_seen_ms)
    opens = view.passed(first + view.settings.not_started_after_seconds * 1000)
    text = (condition.message if condition is not None and condition.message else None) or (
        signal.text if signal is not None else ""
    )
    evidence: list[Source] = []
    if condition is not None:
        evidence.append(
            status_evidence(view, condition.reason or "Unschedulable", condition.message or "PodScheduled is False")
        )
    if signal is not None:
        evidence.append(signal)
    last = signal.at_ms if signal is not None else view.track.pod_seen_ms
    others: tuple[tuple[CauseId, float], ...] = (("volume_mount_failed", 0.1),) if "PersistentVolumeClaim" in text else ()
    why = _short(_scheduling_point(text))
    return _verdict(
        "unschedulable",
        0.93,
        f"no node fits it: {why}" if why else "no node fits it",
        _scheduling_steps(text),
        evidence,
        first,
        last,
        view.within_window(signal) if signal is not None else 1,
        others,
        opens=opens,
    )


def _scheduling_point(text: str) -> str:
    """The scheduler's reasons, without its count of nodes and what it says of preemption."""
    reasons = re.sub(r"^\d+/\d+ nodes are available: ", "", text).partition("preemption: ")[0]
    reasons = re.sub(r"\s*no new claims to deallocate,?", "", reasons).strip(" .,")
    return re.sub(r"(not found)\. not found$", r"\1", reasons)


def _scheduling_steps(text: str) -> tuple[str, ...]:
    steps = []
    short = re.findall(r"Insufficient ([\w./-]+)", text)
    if short:
        steps.append(
            f"Lower resources.requests of {', '.join(sorted({name.rstrip('.') for name in short}))}, or add nodes that have it"
        )
    if "affinity" in text or "selector" in text:
        steps.append("Compare spec.nodeSelector and affinity with kubectl get nodes --show-labels")
    if "taint" in text:
        steps.append("Add a toleration, or remove the taint: kubectl describe nodes")
    if "PersistentVolumeClaim" in text:
        steps.append("Bind the claim: kubectl get pvc; check its storage class, size and access mode")
    if "persistentvolumeclaim" in text:
        steps.append("Create the claim that spec.volumes names: kubectl get pvc")
    if "free ports" in text:
        steps.append("Another pod on each node uses this hostPort: remove spec.containers[].ports[].hostPort, or use a Service")
    return tuple(steps) or ("Read the scheduler's message in the evidence: requests, selectors, taints",)


def _verdict(
    cause: CauseId,
    confidence: float,
    summary: str,
    steps: tuple[str, ...],
    evidence: list[Source],
    first: int,
    last: int,
    count: int,
    others: tuple[tuple[CauseId, float], ...],
    *,
    opens: bool,
) -> Verdict:
    return Verdict(
        problem="not_started",
        container=None,
        cause=cause,
        confidence=confidence,
        summary=summary,
        rule=f"starting.{cause}",
        opens=opens,
        first_ms=min(first, last),
        last_ms=last,
        occurrences=max(1, count),
        remediation=steps,
        alternatives=others,
        evidence=evidence,
        condition="pending",
    )


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 200 else words[:199] + "…"
