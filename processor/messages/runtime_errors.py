"""What a runtime says when it cannot create or start a container: runc and crun, relayed by containerd, CRI-O and dockershim."""

import re
from functools import lru_cache
from typing import Final

_ARCHITECTURE: Final = re.compile(r"exec format error", re.IGNORECASE)
_NO_EXECUTABLE: Final = re.compile(
    r"executable file (?:`[^`]*` )?not found|exec: \"[^\"]*\": (?:stat [^:]*: |no such file)|"
    r"exec user process(?: caused)?[: \"]{0,4}[^\n\"]{0,80}no such file or directory|\bexec:? [`\"]?[^\s:`\"]{1,256}[`\"]?: no such file or directory|"
    r"container process[^\n]{0,60}exec[^\n]{0,200}no such file or directory|open executable: no such file",
    re.IGNORECASE,
)
_EXEC_DENIED: Final = re.compile(
    r"exec: \"[^\"]*\":? ?(?:stat [^:]*: |is a directory: )?permission denied|"
    r"exec user process(?: caused)?[: \"]{0,4}[^\n\"]{0,80}permission denied|\bexec:? [`\"]?[^\s:`\"]{1,256}[`\"]?: permission denied|"
    r"container process[^\n]{0,60}exec[^\n]{0,200}permission denied|open executable: permission denied",
    re.IGNORECASE,
)
#: The node's or the spec's trouble around the executable, whose words are the same.
_AROUND: Final = re.compile(r"chdir to cwd|cgroup|apparmor_parser|running (?:\w+ )?hook", re.IGNORECASE)
_MOUNT: Final = re.compile(
    r"error mounting|mount through procfd|subPath|rootfs_linux|failed to mount|mounting \"", re.IGNORECASE
)
_INIT_OOM: Final = re.compile(r"OOM-killed|memory limit too low|Memory cgroup out of memory", re.IGNORECASE)


@lru_cache(maxsize=4096)
def start_error_cause(text: str) -> str | None:
    """The cause that a runtime's refusal to start names: one of the contract's ids, or None.

    Texts of runc and crun as relayed by containerd (StartError, 128), CRI-O (CreateContainerError) and dockershim (ContainerCannotRun).
    """
    text = text.replace('\\"', '"')
    if _INIT_OOM.search(text) is not None:
        return "oom_killed"
    if _ARCHITECTURE.search(text) is not None:
        return "architecture_mismatch"
    if _MOUNT.search(text) is not None or _AROUND.search(text) is not None:
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
