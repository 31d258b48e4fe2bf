"""Cases of containers whose program cannot be executed, whose hook fails, or of which no one knows how they ended."""

from typing import Final

from msgspec.structs import replace

from processor.rules.cases.case import (
    APP,
    POD,
    Case,
    crashes,
    edge,
    end,
    ended,
    ended_before,
    event,
    fires,
    near_miss,
    pod,
    running,
    waiting,
)

_MOUNT: Final = 'error mounting "/x" to rootfs at "/y": permission denied'

CASES: Final[tuple[Case, ...]] = (
    fires(
        "command_not_found",
        "containerd finds no such executable, at the first try",
        crashes(APP, 128, 10, reason="StartError", message='exec: "webb": executable file not found in $PATH: unknown'),
        60,
        ("app", "container_restarts", "command_not_found", "opened"),
    ),
    near_miss(
        "command_not_found",
        "127 without a reason to call it a start error is a loop only the second time",
        crashes(APP, 127, 10),
        60,
    ),
    edge(
        "command_not_found",
        "the executable is there, its interpreter is not: the program's own log says so",
        crashes(APP, 1, 10, 30, text="exec /web.sh: no such file or directory"),
        60,
        ("app", "container_restarts", "command_not_found", "updated"),
    ),
    fires(
        "permission_denied_exec",
        "126 from a shell, twice",
        crashes(APP, 126, 10, 30),
        60,
        ("app", "container_restarts", "permission_denied_exec", "opened"),
    ),
    near_miss(
        "permission_denied_exec",
        "a mount that is denied is no executable",
        [
            pod(
                seconds,
                waiting(
                    ended_before(APP, end(128, None, seconds - 1, reason="StartError", message=_MOUNT), restarts=seconds // 20),
                    "RunContainerError",
                    _MOUNT,
                ),
            )
            for seconds in (20, 40)
        ],
        60,
        ("app", "container_create", "create_container_error", "opened"),
    ),
    edge(
        "permission_denied_exec",
        "125 is the application's own",
        crashes(APP, 125, 10, 30),
        60,
        ("app", "container_restarts", "app_error_exit", "opened"),
    ),
    fires(
        "architecture_mismatch",
        "the runtime meets another machine's program",
        crashes(APP, 128, 10, reason="StartError", message="exec format error"),
        60,
        ("app", "container_restarts", "architecture_mismatch", "opened"),
    ),
    fires(
        "architecture_mismatch",
        "the same, said in its log, with exit code 1",
        crashes(APP, 1, 10, 30, text="standard_init_linux.go:228: exec user process caused: exec format error"),
        60,
        ("app", "container_restarts", "architecture_mismatch", "updated"),
    ),
    near_miss(
        "architecture_mismatch",
        "a format error of the application's own input",
        crashes(APP, 1, 10, 30, text="import: row 7: format error"),
        60,
        ("app", "container_restarts", "app_error_exit", "opened"),
    ),
    edge(
        "architecture_mismatch",
        "an image without this platform is a pull that finds nothing",
        [
            pod(
                1,
                waiting(APP, "ErrImagePull", "no match for platform in manifest: not found"),
                like=replace(POD, phase="Pending"),
            ),
        ],
        60,
        ("app", "image_pull", "image_not_found", "opened"),
    ),
    fires(
        "post_start_hook_failed",
        "by its waiting reason",
        [
            pod(1, running(APP, 0)),
            pod(5, waiting(APP, "PostStartHookError", "Exec lifecycle hook ([false]) for Container failed")),
        ],
        60,
        ("app", "container_restarts", "post_start_hook_failed", "opened"),
    ),
    near_miss(
        "post_start_hook_failed",
        "a preStop hook that fails is noise",
        [pod(1, running(APP, 0)), event(5, "FailedPreStopHook", "PreStopHook failed")],
        60,
    ),
    edge(
        "post_start_hook_failed",
        "by its event alone, without any pod state",
        [event(5, "FailedPostStartHook", "PostStartHook failed"), event(6, "Killing", "FailedPostStartHook")],
        60,
        ("app", "container_restarts", "post_start_hook_failed", "opened"),
    ),
    fires(
        "unknown",
        "it ends again and again, and no one knows its exit codes",
        crashes(APP, None, 10, 30),
        60,
        ("app", "container_restarts", "unknown", "opened"),
    ),
    near_miss(
        "unknown",
        "the runtime lost it when its node rebooted, and it came back",
        crashes(APP, 255, 10, reason="Unknown"),
        400,
    ),
    edge(
        "unknown",
        "the runtime lost it, and it is not back after just two minutes",
        [pod(1, running(APP, 0)), pod(15, ended(APP, end(137, None, None, reason="ContainerStatusUnknown")))],
        135,
        ("app", "container_restarts", "unknown", "opened"),
    ),
    edge(
        "unknown",
        "the runtime lost it, and two minutes are not yet over",
        [pod(1, running(APP, 0)), pod(15, ended(APP, end(137, None, None, reason="ContainerStatusUnknown")))],
        134,
    ),
)
