"""What a runtime says when it cannot create or start a container: runc and crun, relayed by containerd, CRI-O and dockershim."""

import re
from functools import lru_cache
from typing import Final

_ARCHITECTURE: Final = re.compile(r"exec format error", re.IGNORECASE)
_NO_EXECUTABLE: Final = re.compile(
    r"executable file (?:`[^`]*` )?not found|exec: \"[^\"]*\": (?:stat [^:]*: |is a directory|no such file)|"
    r"(?:exec|container process)[^\n]{0,200}no such file or directory|no such file or directory: unknown\s*$",
    re.IGNORECASE,
)
_EXEC_DENIED: Final = re.compile(
    r"exec: \"[^\"]*\":? ?(?:stat [^:]*: )?permission denied|(?:exec|container process)[^\n]{0,200}permission denied",
    re.IGNORECASE,
)
_MOUNT: Final = re.compile(
    r"error mounting|mount through procfd|subPath|rootfs_linux|failed to mount|mounting \"", re.IGNORECASE
)
_INIT_OOM: Final = re.compile(r"OOM-killed|memory limit too low|Memory cgroup out of memory", re.IGNORECASE)


@lru_cache(maxsize=4096)
def start_error_cause(text: str) -> str | None:
    """The cause that a runtime's refusal to start names: one of the contract's ids, or None.

    Texts of runc and crun as relayed by containerd (StartError, 128), CRI-O (CreateContainerError) and dockershim (ContainerCannotRun).
    """
    if _INIT_OOM.search(text) is not None:
        return "oom_killed"
    if _ARCHITECTURE.search(text) is not None:
        return "architecture_mismatch"
    if _MOUNT.search(text) is not None:
        return None
    if _EXEC_DENIED.search(text) is not None:
        return "permission_denied_exec"
    if _NO_EXECUTABLE.search(text) is not None:
        return "command_not_found"
    return None


_POINT: Final = re.compile(
    r"(?:error during container init: |unable to start container process: |OCI runtime create failed: (?:runc create failed: )?)"
)


def runtime_point(text: str) -> str:
    """The part of a runtime's message that says what is wrong, without the layers that handed it on."""
    rest = text.removeprefix("Error: ")
    while (found := _POINT.search(rest)) is not None:
        rest = rest[found.end() :]
    return rest.removesuffix(": unknown")


_CONFIG_MISSING: Final = re.compile(
    r"(?:secrets?|configmaps?) \"[^\"]*\" not found|couldn't find key|references non-existent (?:config|secret) key|"
    r"(?:secret|configmap)s? [^\s]+ not found|object \"[^\"]+\"/\"[^\"]+\" not registered",
    re.IGNORECASE,
)
_SECURITY: Final = re.compile(
    r"runAsNonRoot|run as root|non-root|non-numeric user|breaks non-root policy|[Aa]pp[Aa]rmor|seccomp|SELinux|"
    r"operation not permitted|allowPrivilegeEscalation|capabilit|sysctl",
)


@lru_cache(maxsize=4096)
def create_error_cause(text: str) -> str | None:
    """The cause that a failure to create a container names, or None (pkg/kubelet/kuberuntime, security_context.go)."""
    if _CONFIG_MISSING.search(text) is not None:
        return "config_missing"
    if _SECURITY.search(text) is not None:
        return "security_context_rejected"
    return None
