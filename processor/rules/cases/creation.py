"""Cases of containers that cannot be created."""

from typing import Final

from msgspec.structs import replace

from processor.rules.cases.case import APP, POD, Case, edge, event, fires, near_miss, pod, running, waiting
from schemas.observation import Pod

_PENDING: Final[Pod] = replace(POD, phase="Pending")
_CONFIG: Final = "CreateContainerConfigError"
_ROOT: Final = "container has runAsNonRoot and image will run as root"
_TAKEN: Final = "failed to reserve container name web_1: name is reserved"

CASES: Final[tuple[Case, ...]] = (
    fires(
        "config_missing",
        "its Secret does not exist, by status alone",
        [pod(5, waiting(APP, _CONFIG, 'secret "db" not found'), like=_PENDING)],
        20,
        ("app", "container_create", "config_missing", "opened"),
    ),
    fires(
        "config_missing",
        "its ConfigMap lacks a key, by the event alone",
        [event(5, "Failed", "Error: couldn't find key url in ConfigMap shop/web")],
        20,
        ("app", "container_create", "config_missing", "opened"),
    ),
    near_miss(
        "config_missing",
        "a volume's Secret that does not exist keeps the pod from starting at all",
        [
            pod(1, waiting(APP, "ContainerCreating"), like=_PENDING),
            event(
                120, "FailedMount", 'MountVolume.SetUp failed for volume "db" : secret "db" not found', None, count=8, first=2
            ),
        ],
        200,
        (None, "not_started", "volume_mount_failed", "opened"),
    ),
    edge(
        "config_missing",
        "it is created a moment later",
        [pod(5, waiting(APP, _CONFIG, 'secret "db" not found'), like=_PENDING), pod(20, running(APP, 20))],
        60,
        ("app", "container_create", "config_missing", "resolved"),
    ),
    edge(
        "config_missing",
        "no one says what is missing",
        [pod(5, waiting(APP, _CONFIG), like=_PENDING)],
        20,
        ("app", "container_create", "config_missing", "opened"),
    ),
    fires(
        "security_context_rejected",
        "runAsNonRoot meets an image of root",
        [pod(5, waiting(APP, _CONFIG, _ROOT), like=_PENDING)],
        20,
        ("app", "container_create", "security_context_rejected", "opened"),
    ),
    near_miss(
        "security_context_rejected",
        "a denied executable is the program's",
        [pod(5, waiting(APP, "RunContainerError", 'exec: "/web": permission denied: unknown'))],
        20,
        ("app", "container_restarts", "permission_denied_exec", "opened"),
    ),
    edge(
        "security_context_rejected",
        "an older event than the container's start",
        [event(5, "Failed", f"Error: {_ROOT}"), pod(6, running(APP, 6))],
        20,
        ("app", "container_create", "security_context_rejected", "resolved"),
    ),
    fires(
        "create_container_error",
        "the runtime fails twice",
        [
            pod(5, waiting(APP, "CreateContainerError", _TAKEN), like=_PENDING),
            event(20, "Failed", f"Error: {_TAKEN}", count=2, first=5),
        ],
        30,
        ("app", "container_create", "create_container_error", "opened"),
    ),
    near_miss(
        "create_container_error",
        "once, and then it runs",
        [pod(5, waiting(APP, "CreateContainerError", _TAKEN), like=_PENDING), pod(20, running(APP, 20))],
        60,
    ),
    edge("create_container_error", "the first failure", [event(5, "Failed", f"Error: {_TAKEN}")], 60),
    edge(
        "create_container_error",
        "the second failure",
        [event(20, "Failed", f"Error: {_TAKEN}", count=2, first=5)],
        60,
        ("app", "container_create", "create_container_error", "opened"),
    ),
)
