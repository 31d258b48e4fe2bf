"""Cases of pods that do not get as far as their first container."""

from typing import Final

from msgspec.structs import replace

from processor.rules.cases.case import APP, POD, Case, at, edge, event, fires, near_miss, pod, running, waiting
from schemas.observation import Condition, Pod

_PENDING: Final[Pod] = replace(POD, phase="Pending")
_NO_CPU: Final = "0/3 nodes are available: 3 Insufficient cpu."
_UNSCHEDULED: Final[Pod] = replace(
    _PENDING,
    node=None,
    conditions=(
        Condition(type="PodScheduled", status="False", reason="Unschedulable", message=_NO_CPU, last_transition_at=at(5)),
    ),
)
_GATED: Final[Pod] = replace(
    _UNSCHEDULED,
    conditions=(Condition(type="PodScheduled", status="False", reason="SchedulingGated", last_transition_at=at(5)),),
)
_CREATING: Final = waiting(APP, "ContainerCreating")
_MOUNT: Final = 'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32'
_SANDBOX: Final = "Failed to create pod sandbox: rpc error: no IP addresses available in range"

CASES: Final[tuple[Case, ...]] = (
    fires(
        "unschedulable",
        "no node has the processor that it asks for",
        [pod(5, APP, like=_UNSCHEDULED)],
        300,
        (None, "not_started", "unschedulable", "opened"),
    ),
    fires(
        "unschedulable",
        "by the event alone",
        [event(5, "FailedScheduling", _NO_CPU, None), event(130, "FailedScheduling", _NO_CPU, None, count=2, first=5)],
        300,
        (None, "not_started", "unschedulable", "opened"),
    ),
    near_miss("unschedulable", "its gate is not open yet", [pod(5, APP, like=_GATED)], 300),
    near_miss(
        "unschedulable",
        "a moment's delay, until the cluster grows",
        [
            pod(5, APP, like=_UNSCHEDULED),
            event(6, "FailedScheduling", _NO_CPU, None),
            event(60, "Scheduled", "Successfully assigned shop/web-1 to node-1", None),
            pod(61, _CREATING, like=_PENDING),
            pod(70, running(APP, 70)),
        ],
        400,
    ),
    edge(
        "unschedulable",
        "for exactly two minutes",
        [pod(5, APP, like=_UNSCHEDULED)],
        125,
        (None, "not_started", "unschedulable", "opened"),
    ),
    edge("unschedulable", "a second less", [pod(5, APP, like=_UNSCHEDULED)], 124),
    fires(
        "volume_mount_failed",
        "the mount fails for more than two minutes",
        [
            pod(1, _CREATING, like=_PENDING),
            event(5, "FailedMount", _MOUNT, None),
            event(150, "FailedMount", _MOUNT, None, count=8, first=5),
        ],
        200,
        (None, "not_started", "volume_mount_failed", "updated"),
    ),
    near_miss(
        "volume_mount_failed",
        "it is mounted after a minute",
        [pod(1, _CREATING, like=_PENDING), event(5, "FailedMount", _MOUNT, None, count=3, first=2), pod(60, running(APP, 60))],
        400,
    ),
    edge(
        "volume_mount_failed",
        "exactly two minutes after the first failure",
        [pod(1, _CREATING, like=_PENDING), event(10, "FailedMount", _MOUNT, None, count=3, first=5)],
        125,
        (None, "not_started", "volume_mount_failed", "opened"),
    ),
    edge(
        "volume_mount_failed",
        "a second less",
        [pod(1, _CREATING, like=_PENDING), event(10, "FailedMount", _MOUNT, None, count=3, first=5)],
        124,
    ),
    fires(
        "sandbox_failed",
        "no address is left",
        [pod(1, _CREATING, like=_PENDING), event(5, "FailedCreatePodSandBox", _SANDBOX, None, count=4, first=2)],
        200,
        (None, "not_started", "sandbox_failed", "opened"),
    ),
    near_miss(
        "sandbox_failed",
        "a moment's delay",
        [
            pod(1, _CREATING, like=_PENDING),
            event(5, "NetworkNotReady", "network is not ready: cni plugin not initialized", None, count=20, first=2),
            event(40, "Pulled", 'Container image "shop/web:1" already present on machine'),
            pod(41, running(APP, 41)),
        ],
        400,
    ),
    edge(
        "sandbox_failed",
        "the sandbox cannot be made because the memory limit is too low for any start",
        [
            pod(1, replace(_CREATING, memory_limit_bytes=1 << 20), like=_PENDING),
            event(
                5,
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: container init was OOM-killed",
                None,
                count=4,
                first=2,
            ),
        ],
        200,
        ("app", "container_restarts", "oom_killed", "opened"),
    ),
    edge(
        "sandbox_failed",
        "exactly two minutes after the first failure",
        [pod(1, _CREATING, like=_PENDING), event(5, "FailedCreatePodSandBox", _SANDBOX, None)],
        125,
        (None, "not_started", "sandbox_failed", "opened"),
    ),
    edge(
        "sandbox_failed",
        "a second less",
        [pod(1, _CREATING, like=_PENDING), event(5, "FailedCreatePodSandBox", _SANDBOX, None)],
        124,
    ),
)
