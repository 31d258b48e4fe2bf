"""The pod is taken away, or its node is: evicted, preempted, lost, rejected, out of time. None of these is the application's fault.

Sources: pkg/kubelet/eviction/helpers.go:44-74, pkg/kubelet/preemption/preemption.go, pkg/kubelet/nodeshutdown, pkg/kubelet/kubelet.go:2397,
pkg/kubelet/active_deadline.go, api/core/v1/types.go:3544 (DisruptionTarget). An eviction through the API carries EvictionByEvictionAPI and is
an operator's wish: no diagnosis.
"""

import re
from typing import Final

from processor.history import Signal, time_ms
from processor.messages import Form, is_admission_reason, is_shutdown_reason
from processor.rules.view import CauseDoc, Source, Verdict, View, status_evidence
from schemas.diagnosis import CauseId

CAUSES: Final = (
    CauseDoc(
        "evicted_resource_pressure",
        "evicted",
        "The kubelet evicted the pod: its node ran out of something, or the pod exceeded its own limit of emptyDir or ephemeral storage.",
        "status.reason Evicted, or the Evicted event.",
        ("Set requests and limits for what ran out; clean up what the pod writes.",),
    ),
    CauseDoc(
        "preempted",
        "evicted",
        "A pod of higher priority took its place.",
        "status.reason Preempting, DisruptionTarget PreemptionByScheduler, or the Preempted event.",
        ("Raise its priorityClassName, or add capacity.",),
    ),
    CauseDoc(
        "node_lost",
        "evicted",
        "Its node is gone, unreachable, shut down, or its kubelet does nothing.",
        "status.reason NodeLost, Terminated or NodeShutdown, the NodeNotReady event, or a pod that was assigned minutes ago and that no kubelet touched.",
        ("Look at the node: kubectl describe node; is its kubelet running?",),
    ),
    CauseDoc(
        "admission_rejected",
        "evicted",
        "The kubelet refused to run the pod on the node that it was assigned to.",
        "Phase Failed with a reason such as OutOfcpu, UnexpectedAdmissionError or TopologyAffinityError.",
        ("Look at what the node lacks; delete the failed pod.",),
    ),
    CauseDoc(
        "deadline_exceeded",
        "evicted",
        "The pod was active longer than its deadline allows.",
        "status.reason DeadlineExceeded.",
        ("Raise spec.activeDeadlineSeconds, or make the work shorter.",),
    ),
)

_NAMED: Final = re.compile(r"[Cc]ontainer (\S+) (?:was using|exceeded its local ephemeral storage)")
_SILENT_STREAM_MS: Final = 300_000
_SILENT_MOMENT_MS: Final = 120_000


def decide(view: View) -> Verdict | None:
    """The verdict on a pod that was taken away, or None."""
    return _by_status(view) or _by_condition(view) or _by_events(view) or _silent_node(view)


def _by_status(view: View) -> Verdict | None:
    reason = view.pod.reason
    if reason is None or (view.pod.phase not in ("Failed", None, "Unknown") and reason != "NodeLost"):
        return None
    text = view.pod.message or ""
    evidence: list[Source] = [status_evidence(view, reason, text or f"status.reason {reason}")]
    cause = _cause_of_reason(reason)
    if cause is None:
        return None
    signal = view.latest(_FORM_OF[cause])
    if signal is not None:
        evidence.append(signal)
    return _verdict(
        view, cause, 0.97, text or (signal.text if signal is not None else reason), evidence, _failed_ms(view, signal)
    )


_FORM_OF: Final[dict[CauseId, Form]] = {
    "evicted_resource_pressure": Form.EVICTED,
    "preempted": Form.PREEMPTED,
    "node_lost": Form.NODE_NOT_READY,
    "admission_rejected": Form.ADMISSION,
    "deadline_exceeded": Form.DEADLINE,
}


def _cause_of_reason(reason: str) -> CauseId | None:
    if reason == "Evicted":
        return "evicted_resource_pressure"
    if reason == "Preempting":
        return "preempted"
    if reason == "NodeLost" or is_shutdown_reason(reason):
        return "node_lost"
    if reason == "DeadlineExceeded":
        return "deadline_exceeded"
    return "admission_rejected" if is_admission_reason(reason) else None


def _failed_ms(view: View, signal: Signal | None) -> int:
    if signal is not None:
        return signal.first_ms
    return view.track.pod_failed_ms or view.track.first_seen_ms


def _by_condition(view: View) -> Verdict | None:
    for condition in view.pod.conditions:
        if condition.type != "DisruptionTarget" or condition.status != "True":
            continue
        at = time_ms(condition.last_transition_at) or view.track.pod_seen_ms
        evidence: list[Source] = [
            status_evidence(view, condition.reason, condition.message or f"DisruptionTarget {condition.reason}", at)
        ]
        if condition.reason == "PreemptionByScheduler":
            return _verdict(view, "preempted", 0.96, condition.message or "", evidence, at)
        if condition.reason == "DeletionByTaintManager":
            return _tainted(view, evidence, at)
        if condition.reason == "DeletionByPodGC":
            return _verdict(view, "node_lost", 0.8, condition.message or "", evidence, at)
    return None


def _tainted(view: View, evidence: list[Source], at_ms: int) -> Verdict:
    signal = view.latest(Form.NODE_NOT_READY)
    if signal is not None:
        evidence.append(signal)
    return _verdict(view, "node_lost", 0.92 if signal is not None else 0.6, "", evidence, at_ms)


def _by_events(view: View) -> Verdict | None:
    settled = view.settled_ms(None, "evicted")
    table: tuple[tuple[Form, CauseId, float], ...] = (
        (Form.EVICTED, "evicted_resource_pressure", 0.93),
        (Form.ADMISSION, "admission_rejected", 0.9),
        (Form.DEADLINE, "deadline_exceeded", 0.9),
        (Form.PREEMPTED, "preempted", 0.93),
        (Form.NODE_SHUTDOWN, "node_lost", 0.85),
        (Form.NODE_NOT_READY, "node_lost", 0.88),
        (Form.TAINT_EVICTION, "node_lost", 0.6),
    )
    for form, cause, confidence in table:
        signal = view.latest(form)
        if signal is None or signal.at_ms <= settled or not view.is_fresh(signal.at_ms):
            continue
        if cause == "node_lost" and _is_back(view, signal.at_ms):
            continue
        evidence: list[Source] = [signal]
        other = view.latest(Form.NODE_NOT_READY)
        if form is Form.TAINT_EVICTION and other is not None:
            evidence.append(other)
            return _verdict(view, cause, 0.9, signal.text, evidence, signal.first_ms)
        return _verdict(view, cause, confidence, signal.text, evidence, signal.first_ms)
    return None


def _is_back(view: View, since_ms: int) -> bool:
    """Whether the pod is ready by a state that is newer than the node's loss."""
    for condition in view.pod.conditions:
        if condition.type == "Ready" and condition.status == "True":
            changed = time_ms(condition.last_transition_at)
            return changed is not None and changed > since_ms
    started = max((signal.at_ms for signal in view.of(Form.STARTED)), default=0)
    return started > since_ms


def _silent_node(view: View) -> Verdict | None:
    """The pod was assigned to a node, and no kubelet has said a word since."""
    pod = view.pod
    if not view.has_pod or pod.node is None or pod.phase not in ("Pending", None) or pod.deletion_at is not None:
        return None
    if any(signal.form not in (Form.SCHEDULED.value, Form.UNSCHEDULABLE.value) for signal in view.signals):
        return None
    for container in pod.containers:
        state = container.state
        if state is not None and (
            state.waiting is None or state.waiting.reason not in (None, "ContainerCreating", "PodInitializing")
        ):
            return None
    signal = view.latest(Form.SCHEDULED)
    if signal is None:
        # Where no event at all arrived, the kubelet's silence says nothing of the kubelet.
        return None
    assigned = signal.at_ms
    if not view.passed(assigned + (_SILENT_MOMENT_MS if view.settings.one_moment else _SILENT_STREAM_MS)):
        return None
    waited = status_evidence(view, "ContainerCreating", "assigned to a node, and nothing happened since")
    evidence: list[Source] = [signal, waited]
    verdict = _verdict(
        view, "node_lost", 0.55, f"its node {pod.node} has done nothing since the pod was assigned to it", evidence, assigned
    )
    verdict.alternatives = (("volume_mount_failed", 0.2), ("sandbox_failed", 0.2))
    return verdict


def has_recovered(view: View, opened_ms: int) -> bool:
    """Whether a lost node came back with the pod alive: only node_lost can."""
    return (
        view.pod.phase == "Running"
        and view.pod.reason is None
        and view.condition("Ready") == "True"
        and view.track.pod_seen_ms > opened_ms
        and _is_back(view, opened_ms - 1)
    )


def _verdict(view: View, cause: CauseId, confidence: float, text: str, evidence: list[Source], at_ms: int) -> Verdict:
    node = view.pod.node or "its node"
    short = " ".join(text.split())[:300].rstrip(". ")
    words = {
        "evicted_resource_pressure": f"the kubelet evicted it: {short}" if short else "the kubelet evicted it",
        "preempted": f"a pod of higher priority took its place: {short}"
        if short
        else "a pod of higher priority took its place",
        "node_lost": short
        if short.startswith("its node")
        else f"{node} is lost, shut down or unreachable" + (f": {short}" if short else ""),
        "admission_rejected": f"{node} refused it at admission: {short}" if short else f"{node} refused it at admission",
        "deadline_exceeded": "it was active longer than its deadline allows",
    }
    seconds = view.pod.active_deadline_seconds
    steps: dict[str, tuple[str, ...]] = {
        "evicted_resource_pressure": _eviction_steps(short, view),
        "preempted": (
            "Give it a priorityClassName of higher value, or a PodDisruptionBudget",
            "Or add capacity, so that both fit",
        ),
        "node_lost": (
            f"kubectl describe node {view.pod.node or '<node>'}; is its kubelet running and reaching the API server?",
            "Delete the pod with --force only when the node is known to be gone",
        ),
        "admission_rejected": (
            f"kubectl describe node {view.pod.node or '<node>'}: compare Allocatable with the pod's requests",
            f"Delete the failed pod: kubectl -n {view.track.namespace} delete pod {view.track.name}",
        ),
        "deadline_exceeded": (
            f"spec.activeDeadlineSeconds: {seconds} → more" if seconds else "Raise spec.activeDeadlineSeconds",
            "Or find out what takes so long: the pod's log",
        ),
    }
    return Verdict(
        problem="evicted",
        container=_container(view, cause, text),
        cause=cause,
        confidence=confidence,
        summary=words[cause],
        rule=f"eviction.{cause}",
        opens=True,
        first_ms=at_ms,
        last_ms=at_ms,
        remediation=steps[cause],
        evidence=evidence,
        condition="evicted",
    )


def _container(view: View, cause: CauseId, text: str) -> str | None:
    """The container that the eviction names, if it is one; a pod is evicted once, so what was said of it first stays."""
    for episode in view.track.episodes:
        if episode.problem == "evicted":
            return episode.container
    named = set(_NAMED.findall(text)) if cause == "evicted_resource_pressure" else set()
    return next(iter(named)) if len(named) == 1 else None


def _eviction_steps(text: str, view: View) -> tuple[str, ...]:
    if "EmptyDir volume" in text or "emptyDir" in text:
        return ("Raise the volume's emptyDir.sizeLimit, or write less to it",)
    if "ephemeral" in text and "limit" in text:
        return ("Raise resources.limits.ephemeral-storage, or write less (logs, temporary files)",)
    resource = re.search(r"low on resource: ([\w./-]+)", text)
    what = resource[1].rstrip(".") if resource is not None else "memory or disk"
    return (
        f"Set resources.requests for {what} to what it really uses, so that it is evicted last",
        f"kubectl describe node {view.pod.node or '<node>'}: what else uses {what}?",
    )
