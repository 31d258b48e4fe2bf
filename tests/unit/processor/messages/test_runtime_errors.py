"""Why a container cannot be created or started: runc and crun behind containerd, CRI-O and dockershim, and the kubelet itself."""

from collections.abc import Callable

import pytest

from processor.messages import create_error_cause, start_error_cause

START = [
    # containerd with runc, from 1.1 and before
    (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start "
        'container process: exec: "/web": stat /web: no such file or directory: unknown',
        "command_not_found",
    ),
    (
        'OCI runtime create failed: container_linux.go:345: starting container process caused "exec: \\"web\\": executable file not '
        'found in $PATH": unknown',
        "command_not_found",
    ),
    (
        'unable to start container process: error during container init: exec: "/web": permission denied: unknown',
        "permission_denied_exec",
    ),
    (
        'OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "/web": permission denied',
        "permission_denied_exec",
    ),
    ('starting container process caused "exec: \\"/web\\": permission denied": unknown', "permission_denied_exec"),
    ('exec: "/etc": is a directory: permission denied: unknown', "permission_denied_exec"),
    ('runc create failed: unable to start container process: exec: "/web": exec format error', "architecture_mismatch"),
    ('standard_init_linux.go:211: exec user process caused "exec format error"', "architecture_mismatch"),
    # CRI-O with crun
    ("container create failed: executable file `web` not found in $PATH: No such file or directory", "command_not_found"),
    ("container create failed: open executable: Permission denied", "permission_denied_exec"),
    # dockershim
    (
        'oci runtime error: container_linux.go:265: starting container process caused "exec: \\"web\\": executable file not found in $PATH"',
        "command_not_found",
    ),
    ("OCI runtime create failed: container init was OOM-killed (memory limit too low?): unknown", "oom_killed"),
    # near misses: mounts and the like are no executables
    ('error mounting "/var/lib/x" to rootfs at "/etc/app.conf": not a directory: permission denied', None),
    ("failed to prepare subPath for volumeMount: no such file or directory: unknown", None),
    ('error during container init: error mounting "proc" to rootfs at "/proc": permission denied', None),
    ("failed to reserve container name web_1: name is reserved", None),
    ("context deadline exceeded", None),
    ("", None),
]

CREATE = [
    ('secret "db" not found', "config_missing"),
    ('configmap "web" not found', "config_missing"),
    ('configmaps "web" not found', "config_missing"),
    ("couldn't find key url in ConfigMap shop/web", "config_missing"),
    ("couldn't find key password in Secret shop/db", "config_missing"),
    ("references non-existent secret key: password", "config_missing"),
    ('object "shop"/"web" not registered', "config_missing"),
    ("container has runAsNonRoot and image will run as root (pod: x, container: app)", "security_context_rejected"),
    (
        "container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root",
        "security_context_rejected",
    ),
    ("container's runAsUser breaks non-root policy", "security_context_rejected"),
    ("Cannot enforce AppArmor: profile web is not loaded", "security_context_rejected"),
    ("failed to generate seccomp spec opts: open /seccomp/web.json", "security_context_rejected"),
    ("services have not yet been read at least once, cannot construct envvars", None),
    ("failed to sync configmap cache: timed out waiting for the condition", None),
    ("failed to reserve container name web_1: name is reserved", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "cause"), START, ids=[text[-60:] or "empty" for text, _ in START])
def test_why_a_container_does_not_start(text: str, cause: str | None) -> None:
    assert start_error_cause(text) == cause


@pytest.mark.parametrize(("text", "cause"), CREATE, ids=[text[:60] or "empty" for text, _ in CREATE])
def test_why_a_container_is_not_created(text: str, cause: str | None) -> None:
    assert create_error_cause(text) == cause


@pytest.mark.parametrize("read", [start_error_cause, create_error_cause])
def test_hostile_errors_cost_no_time(
    read: Callable[[str], str | None], seconds_at_worst: Callable[..., tuple[float, str]]
) -> None:
    seconds, text = seconds_at_worst(read, 'exec: "', "container process ")
    assert seconds < 0.5, text
