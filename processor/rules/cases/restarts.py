"""Cases of containers that end again and again: what the process does, and what kills it."""

from typing import Final

from msgspec.structs import replace

from processor.rules.cases.case import (
    APP,
    POD,
    Case,
    crashes,
    deleted,
    edge,
    end,
    ended,
    ended_before,
    event,
    fires,
    log,
    near_miss,
    pod,
    running,
    waiting,
)
from schemas.observation import Workload

_JOB: Final = replace(POD, owner=Workload(kind="Job", name="import"), restart_policy="OnFailure")
_NEVER: Final = replace(_JOB, restart_policy="Never")
_LIMITED: Final = replace(APP, memory_limit_bytes=64 << 20)
_BACK_OFF: Final = "back-off 10s restarting failed container=app pod=web-1_shop(pod-uid)"

CASES: Final[tuple[Case, ...]] = (
    fires(
        "app_error_exit",
        "ends with 3 twice, and no log says why",
        crashes(APP, 3, 10, 30),
        60,
        ("app", "container_restarts", "app_error_exit", "opened"),
    ),
    near_miss("app_error_exit", "a first crash is not yet a loop", crashes(APP, 3, 10), 60),
    near_miss(
        "app_error_exit",
        "ends while the pod is being deleted",
        [
            pod(1, running(APP, 0)),
            pod(20, running(APP, 0), like=replace(POD, deletion_at="2026-03-02T10:00:50Z")),
            pod(22, ended(APP, end(3, 0, 22)), like=replace(POD, deletion_at="2026-03-02T10:00:50Z")),
            deleted(23, ended(APP, end(3, 0, 22))),
        ],
        60,
    ),
    edge(
        "app_error_exit",
        "two crashes one second less than the window apart",
        crashes(APP, 3, 10, 1208, lived=5),
        1260,
        ("app", "container_restarts", "app_error_exit", "opened"),
    ),
    edge("app_error_exit", "two crashes as far apart as the window is wide", crashes(APP, 3, 10, 1210, lived=5), 1260),
    fires(
        "exits_zero",
        "ends with 0 again and again under restartPolicy Always",
        crashes(APP, 0, 10, 30, reason="Completed"),
        60,
        ("app", "container_restarts", "exits_zero", "opened"),
    ),
    near_miss(
        "exits_zero",
        "a Job's pod is meant to end with 0",
        [
            pod(1, running(APP, 0), like=_JOB),
            pod(30, ended(APP, end(0, 0, 29, reason="Completed")), like=replace(_JOB, phase="Succeeded")),
        ],
        60,
    ),
    edge(
        "exits_zero",
        "its first end with 0 is already followed by a back-off",
        [
            pod(1, running(APP, 0)),
            pod(30, waiting(ended_before(APP, end(0, 0, 29, reason="Completed")), "CrashLoopBackOff", _BACK_OFF)),
        ],
        60,
        ("app", "container_restarts", "exits_zero", "opened"),
    ),
    fires(
        "dependency_unavailable",
        "its log says that the database refuses connections",
        crashes(APP, 1, 10, 30, text="pool: dial tcp 10.96.0.9:5432: connect: connection refused"),
        60,
        ("app", "container_restarts", "dependency_unavailable", "opened"),
    ),
    near_miss(
        "dependency_unavailable",
        "the same line before an end with 0 explains nothing",
        crashes(APP, 0, 10, 30, reason="Completed", text="dial tcp 10.96.0.9:5432: connect: connection refused"),
        60,
        ("app", "container_restarts", "exits_zero", "opened"),
    ),
    edge(
        "dependency_unavailable",
        "the log comes after the diagnosis, which it then refines",
        [*crashes(APP, 1, 10, 30), log(45, "Error: getaddrinfo ENOTFOUND db", of=30)],
        60,
        ("app", "container_restarts", "dependency_unavailable", "updated"),
    ),
    fires(
        "config_error",
        "its termination message names the variable that is missing",
        crashes(APP, 1, 10, 30, message="required environment variable SHOP_URL is not set"),
        60,
        ("app", "container_restarts", "config_error", "opened"),
    ),
    near_miss(
        "config_error",
        "a log that only mentions its configuration",
        crashes(APP, 1, 10, 30, text="reading config /etc/web.yaml\npanic: index out of range [3]"),
        60,
        ("app", "container_restarts", "app_error_exit", "opened"),
    ),
    edge(
        "config_error",
        "a missing setting is named, and then an unreachable host: the last word wins",
        crashes(APP, 1, 10, 30, text="KeyError: 'SHOP_URL'\nconnect ECONNREFUSED 10.96.0.9:80"),
        60,
        ("app", "container_restarts", "dependency_unavailable", "opened"),
    ),
    fires(
        "read_only_or_permission",
        "its log names a read-only file system",
        crashes(APP, 1, 10, 30, text="OSError: [Errno 30] Read-only file system: '/app/cache'"),
        60,
        ("app", "container_restarts", "read_only_or_permission", "opened"),
    ),
    near_miss(
        "read_only_or_permission",
        "the runtime's own permission denied is about the executable",
        crashes(APP, 128, 10, 30, reason="StartError", message='exec: "/web": permission denied: unknown'),
        60,
        ("app", "container_restarts", "permission_denied_exec", "updated"),
    ),
    edge(
        "read_only_or_permission",
        "a log that came before any end was seen",
        [
            log(9, "mkdir: cannot create directory '/data': Read-only file system", of=10),
            *crashes(APP, 1, 10, 30),
        ],
        60,
        ("app", "container_restarts", "read_only_or_permission", "opened"),
    ),
    fires(
        "oom_killed",
        "one OOM kill is already something",
        crashes(_LIMITED, 137, 10, reason="OOMKilled"),
        60,
        ("app", "container_restarts", "oom_killed", "opened"),
    ),
    near_miss(
        "oom_killed",
        "137 alone is never one, whatever the limit",
        crashes(_LIMITED, 137, 10, 30),
        60,
        ("app", "container_restarts", "killed_externally", "opened"),
    ),
    edge(
        "oom_killed",
        "137 after an OOM kill of the same container: the runtime lost the race to tell",
        [
            *crashes(_LIMITED, 137, 10, reason="OOMKilled"),
            pod(31, running(ended_before(_LIMITED, end(137, 11, 30), restarts=2), 31)),
        ],
        60,
        ("app", "container_restarts", "oom_killed", "updated"),
    ),
    fires(
        "signal_crash",
        "SIGSEGV twice",
        crashes(APP, 139, 10, 30),
        60,
        ("app", "container_restarts", "signal_crash", "opened"),
    ),
    near_miss(
        "signal_crash",
        "SIGTERM is no crash",
        crashes(APP, 143, 10, 30),
        60,
        ("app", "container_restarts", "killed_externally", "opened"),
    ),
    edge(
        "signal_crash",
        "140 is a signal that is no crash",
        crashes(APP, 140, 10, 30),
        60,
        ("app", "container_restarts", "app_error_exit", "opened"),
    ),
    fires(
        "killed_externally",
        "SIGKILL twice, and nothing explains it",
        crashes(APP, 137, 10, 30),
        60,
        ("app", "container_restarts", "killed_externally", "opened"),
    ),
    near_miss(
        "killed_externally",
        "its image was changed in place, so the kubelet ended it",
        [
            pod(1, running(APP, 0)),
            event(20, "Killing", "Container app definition changed, will be restarted"),
            pod(
                25,
                running(ended_before(replace(APP, image="shop/web:2"), end(137, 0, 24)), 25),
            ),
        ],
        60,
    ),
    edge(
        "killed_externally",
        "a sandbox change two minutes before its end explains it",
        [
            pod(1, running(APP, 0)),
            event(10, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", None),
            pod(131, running(ended_before(APP, end(137, 0, 130)), 131)),
            pod(161, running(ended_before(APP, end(137, 131, 160), restarts=2), 161)),
        ],
        200,
    ),
    fires(
        "app_error_exit",
        "a Job's pod that may not be restarted fails for good",
        [
            pod(1, running(APP, 0), like=_NEVER),
            pod(30, ended(APP, end(2, 0, 29)), like=replace(_NEVER, phase="Failed")),
        ],
        60,
        ("app", "container_restarts", "app_error_exit", "opened"),
    ),
)
