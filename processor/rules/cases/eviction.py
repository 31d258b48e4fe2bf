"""Cases of pods that are taken away."""

from typing import Final

from msgspec.structs import replace

from processor.rules.cases.case import (
    APP,
    POD,
    Case,
    at,
    deleted,
    edge,
    end,
    ended,
    event,
    fires,
    near_miss,
    pod,
    running,
    waiting,
)
from schemas.observation import Condition, Pod

_UP: Final = running(APP, 1)
_DEAD: Final = ended(APP, end(137, 1, 40))
_EMPTY_DIR: Final = 'Usage of EmptyDir volume "cache" exceeds the limit "1Gi". '
_PRESSURE: Final = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. "
    "Container app was using 2Gi, request is 1Gi, has larger consumption of memory. "
)


def _failed(reason: str, message: str | None = None) -> Pod:
    return replace(POD, phase="Failed", reason=reason, message=message)


def _disrupted(reason: str) -> Pod:
    condition = Condition(type="DisruptionTarget", status="True", reason=reason, last_transition_at=at(30))
    return replace(POD, conditions=(condition,), deletion_at="2026-03-02T10:01:00Z")


CASES: Final[tuple[Case, ...]] = (
    fires(
        "evicted_resource_pressure",
        "its own limit of an emptyDir, by status alone",
        [pod(1, _UP), pod(40, _DEAD, like=_failed("Evicted", _EMPTY_DIR))],
        60,
        (None, "evicted", "evicted_resource_pressure", "opened"),
    ),
    fires(
        "evicted_resource_pressure",
        "the node ran out of memory, and one container is named",
        [event(40, "Evicted", _PRESSURE, None)],
        60,
        ("app", "evicted", "evicted_resource_pressure", "opened"),
    ),
    near_miss(
        "evicted_resource_pressure",
        "an eviction through the API is an operator's wish",
        [
            pod(1, _UP),
            pod(30, _UP, like=_disrupted("EvictionByEvictionAPI")),
            deleted(61, _DEAD, like=_disrupted("EvictionByEvictionAPI")),
        ],
        100,
    ),
    edge(
        "evicted_resource_pressure",
        "open until an hour after its eviction",
        [pod(1, _UP), pod(40, _DEAD, like=_failed("Evicted", _EMPTY_DIR))],
        3639,
        (None, "evicted", "evicted_resource_pressure", "opened"),
    ),
    edge(
        "evicted_resource_pressure",
        "expired exactly an hour after its eviction",
        [pod(1, _UP), pod(40, _DEAD, like=_failed("Evicted", _EMPTY_DIR))],
        3640,
        (None, "evicted", "evicted_resource_pressure", "resolved"),
    ),
    fires(
        "preempted",
        "the scheduler took its place",
        [pod(1, _UP), pod(30, _UP, like=_disrupted("PreemptionByScheduler"))],
        60,
        (None, "evicted", "preempted", "opened"),
    ),
    near_miss("preempted", "a plain deletion", [pod(1, _UP), pod(30, _UP, like=replace(POD, deletion_at=at(60)))], 60),
    edge(
        "preempted",
        "by the kubelet for a critical pod, by the event alone",
        [event(30, "Preempting", "Preempted in order to admit critical pod", None)],
        60,
        (None, "evicted", "preempted", "opened"),
    ),
    fires(
        "node_lost",
        "its node was shut down",
        [pod(1, _UP), pod(40, _DEAD, like=_failed("Terminated", "Pod was terminated in response to imminent node shutdown."))],
        60,
        (None, "evicted", "node_lost", "opened"),
    ),
    fires(
        "node_lost",
        "its node does not report",
        [pod(1, _UP), event(40, "NodeNotReady", "Node is not ready", None)],
        60,
        (None, "evicted", "node_lost", "opened"),
    ),
    near_miss(
        "node_lost",
        "it was assigned a moment ago",
        [
            pod(1, waiting(APP, "ContainerCreating"), like=replace(POD, phase="Pending")),
            event(2, "Scheduled", "Successfully assigned", None),
        ],
        200,
    ),
    edge(
        "node_lost",
        "assigned, and untouched for exactly five minutes",
        [
            event(2, "Scheduled", "Successfully assigned", None),
            pod(3, waiting(APP, "ContainerCreating"), like=replace(POD, phase="Pending")),
        ],
        302,
        (None, "evicted", "node_lost", "opened"),
    ),
    edge(
        "node_lost",
        "assigned, and untouched for a second less",
        [
            event(2, "Scheduled", "Successfully assigned", None),
            pod(3, waiting(APP, "ContainerCreating"), like=replace(POD, phase="Pending")),
        ],
        301,
    ),
    fires(
        "admission_rejected",
        "the node has not enough of a device",
        [pod(2, APP, like=_failed("UnexpectedAdmissionError", "Pod was rejected: Allocate failed due to no devices"))],
        60,
        (None, "evicted", "admission_rejected", "opened"),
    ),
    near_miss(
        "admission_rejected",
        "no node at all is the scheduler's word",
        [event(5, "FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.", None)],
        200,
        (None, "not_started", "unschedulable", "opened"),
    ),
    edge(
        "admission_rejected",
        "by the event alone",
        [event(5, "OutOfcpu", "Node didn't have enough resource: cpu", None)],
        60,
        (None, "evicted", "admission_rejected", "opened"),
    ),
    fires(
        "deadline_exceeded",
        "it was active for too long",
        [
            pod(1, _UP),
            pod(40, _DEAD, like=_failed("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")),
        ],
        60,
        (None, "evicted", "deadline_exceeded", "opened"),
    ),
    near_miss(
        "deadline_exceeded",
        "it ends in time",
        [
            pod(1, _UP, like=replace(POD, active_deadline_seconds=60, restart_policy="Never")),
            pod(
                40, ended(APP, end(0, 1, 39, reason="Completed")), like=replace(POD, phase="Succeeded", restart_policy="Never")
            ),
        ],
        100,
    ),
    edge(
        "deadline_exceeded",
        "by the event alone",
        [event(40, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline", None)],
        60,
        (None, "evicted", "deadline_exceeded", "opened"),
    ),
)
