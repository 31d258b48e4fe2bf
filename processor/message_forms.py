"""Every message form that podcause reads, Kubernetes 1.8 to 1.37, containerd, CRI-O and dockershim, in one place.

Pure text in, small facts out. Texts are no API (api/core/v1/types.go, Event): an unknown form is OTHER, never an error. Nothing here
decides a cause; that is the rules' work.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Form(StrEnum):
    """What an Event on a pod says, whatever the wording of its era."""

    PROBE_FAILED = "probe_failed"
    PROBE_ERRORED = "probe_errored"
    PROBE_KILL = "probe_kill"
    PLAIN_STOP = "plain_stop"
    PLANNED_RESTART = "planned_restart"
    HOOK_FAILED = "hook_failed"
    LOST_STATE = "lost_state"
    CRASH_BACKOFF = "crash_backoff"
    IMAGE_BACKOFF = "image_backoff"
    IMAGE_FAILED = "image_failed"
    CREATE_FAILED = "create_failed"
    PULLING = "pulling"
    PULLED = "pulled"
    CREATED = "created"
    STARTED = "started"
    SCHEDULED = "scheduled"
    UNSCHEDULABLE = "unschedulable"
    SANDBOX_CHANGED = "sandbox_changed"
    SANDBOX_FAILED = "sandbox_failed"
    VOLUME_FAILED = "volume_failed"
    EVICTED = "evicted"
    PREEMPTED = "preempted"
    NODE_NOT_READY = "node_not_ready"
    TAINT_EVICTION = "taint_eviction"
    NODE_SHUTDOWN = "node_shutdown"
    DEADLINE = "deadline"
    ADMISSION = "admission"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one Event says. ``container`` is None when neither path nor text names one; ``text`` is the part worth keeping."""

    form: Form
    container: str | None = None
    container_is_init: bool = False
    probe: str | None = None
    text: str = ""


AGGREGATED_PREFIX: Final = "(combined from similar events): "

_FIELD_PATH: Final = re.compile(r"^spec\.(containers|initContainers|ephemeralContainers)\{(.+)\}$")
_PROBE_KILL: Final = re.compile(r"^(?:Init c|C)ontainer (\S+) failed (liveness|startup) probe(?:, will be restarted)?$")
_PROBE_KILL_OLD: Final = re.compile(r"^Killing container with id [^:]+://([^:]+):.*failed (liveness|startup) probe", re.IGNORECASE)
_KILLING_OLD: Final = re.compile(r"^Killing container with id [^:]+://([^:]+):")
_PLAIN_STOP: Final = re.compile(r"^Stopping container (\S+)$")
_PLANNED: Final = re.compile(r"definition changed|resize requires restart$|spec hash changed|^killing$")
_PLANNED_NAME: Final = re.compile(r"^(?:Init c|C)ontainer (\S+) (?:definition changed|resize requires restart)")
_LOST: Final = re.compile(r'is in "?\w+"? state, try killing it before restart$')
_CRASH_BACKOFF: Final = re.compile(r"^Back-off restarting failed container(?:[= ](\S+) in pod |$)", re.IGNORECASE)
_CRASH_BACKOFF_OLD: Final = re.compile(r"^(?:Back-off|back-off) .*restarting failed (?:container|docker container)(?:=(\S+))?")
_PROBE_FAILED: Final = re.compile(r"^(Liveness|Readiness|Startup) probe failed: ?")
_PROBE_ERRORED: Final = re.compile(r"^(Liveness|Readiness|Startup) probe errored(?: and resulted in \w+ state)?: ?")
_POST_START: Final = re.compile(r"postStart|PostStart|Post-start|post-start")

_VOLUME_REASONS: Final = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedBinding", "VolumeConditionAbnormal"})
_SANDBOX_REASONS: Final = frozenset(
    {
        "FailedCreatePodSandBox",
        "FailedCreatePodSandbox",
        "FailedPodSandBoxStatus",
        "NetworkNotReady",
        "FailedCreatePodContainer",
        "FailedPrepareDynamicResources",
        "FailedResourceClaimCreation",
    }
)
#: Reasons that a kubelet gives when it rejects a pod at admission (pkg/kubelet/lifecycle/predicate.go, kubelet.go:2397).
_ADMISSION: Final = re.compile(
    r"^(OutOf\S+|UnexpectedAdmissionError|TopologyAffinityError|NodeAffinity|MatchNodeSelector|SysctlForbidden|AppArmor|"
    r"PodOSNotSupported|PodOSSelectorNodeLabelDoesNotMatch|VolumeAttachmentLimitExceeded|HostPortConflict|PodFitsHostPorts|"
    r"NodePorts|CheckNodeUnschedulable|PodToleratesNodeTaints|InsufficientResource\S*|Insufficient\S+|InvalidNodeInfo|"
    r"PodFeatureUnsupported|PodLevelResourcesNotAdmittedReason|FailedNodeDeclaredFeaturesCheck)$"
)
_NODE_SHUTDOWN_REASONS: Final = frozenset({"NodeShutdown", "Shutdown", "Terminated"})
_IMAGE_ERRORS: Final = re.compile(
    r"^Error: (ErrImagePull|ImagePullBackOff|InvalidImageName|ErrInvalidImageName|ErrImageNeverPull|ImageInspectError|"
    r"RegistryUnavailable|SignatureValidationFailed)"
)
_SIMPLE: Final = {
    "Pulling": Form.PULLING,
    "Pulled": Form.PULLED,
    "Created": Form.CREATED,
    "Started": Form.STARTED,
    "Scheduled": Form.SCHEDULED,
    "SandboxChanged": Form.SANDBOX_CHANGED,
    "Evicted": Form.EVICTED,
    "Preempted": Form.PREEMPTED,
    "Preempting": Form.PREEMPTED,
    "NodeNotReady": Form.NODE_NOT_READY,
    "NodeControllerEviction": Form.TAINT_EVICTION,
    "DeviceTaintManagerEviction": Form.TAINT_EVICTION,
    "DeadlineExceeded": Form.DEADLINE,
    "InspectFailed": Form.IMAGE_FAILED,
    "ErrImageNeverPull": Form.IMAGE_FAILED,
    "FailedPostStartHook": Form.HOOK_FAILED,
}


def is_admission_reason(reason: str) -> bool:
    """Whether a pod's ``status.reason`` (or an event's reason) says that the kubelet rejected it at admission."""
    return _ADMISSION.match(reason) is not None


def is_shutdown_reason(reason: str) -> bool:
    """Whether a pod's ``status.reason`` says that its node was shut down (pkg/kubelet/nodeshutdown)."""
    return reason in _NODE_SHUTDOWN_REASONS


def read_event(reason: str, message: str, field_path: str | None) -> Reading:
    """Classify an Event on (reason, message); its type adds nothing that these two leave open."""
    text = message.removeprefix(AGGREGATED_PREFIX)
    container, is_init = _container_of(field_path)
    form, named, probe, kept = _classify(reason, text, has_path=container is not None)
    if named is not None:
        # An aggregated event keeps the fieldPath of the event that created it: what the text names is surer.
        container = named
    return Reading(form, container, is_init, probe, kept)


def _container_of(field_path: str | None) -> tuple[str | None, bool]:
    found = _FIELD_PATH.match(field_path) if field_path else None
    if found is None:
        return None, False
    return found[2], found[1] == "initContainers"


def _classify(reason: str, text: str, *, has_path: bool) -> tuple[Form, str | None, str | None, str]:
    if reason == "Unhealthy":
        return _unhealthy(text)
    if reason == "Killing":
        return _killing(text)
    if reason == "BackOff":
        return _back_off(text)
    if reason == "Failed":
        return _failed(text, has_path=has_path), None, None, text
    if reason == "FailedScheduling":
        benign = text.startswith("skip schedule deleting pod")
        return (Form.OTHER if benign else Form.UNSCHEDULABLE), None, None, text
    if reason == "TaintManagerEviction":
        benign = text.startswith("Cancelling")
        return (Form.OTHER if benign else Form.TAINT_EVICTION), None, None, text
    simple = _SIMPLE.get(reason)
    if simple is not None:
        return simple, None, None, text
    if reason in _VOLUME_REASONS:
        return Form.VOLUME_FAILED, None, None, text
    if reason in _SANDBOX_REASONS:
        return Form.SANDBOX_FAILED, None, None, text
    if reason == "NodeShutdown":
        return Form.NODE_SHUTDOWN, None, None, text
    if is_admission_reason(reason):
        return Form.ADMISSION, None, None, text
    return Form.OTHER, None, None, text


def _unhealthy(text: str) -> tuple[Form, str | None, str | None, str]:
    found = _PROBE_FAILED.match(text)
    if found is not None:
        return Form.PROBE_FAILED, None, found[1].lower(), text[found.end() :]
    found = _PROBE_ERRORED.match(text)
    if found is not None:
        return Form.PROBE_ERRORED, None, found[1].lower(), text[found.end() :]
    return Form.OTHER, None, None, text


def _killing(text: str) -> tuple[Form, str | None, str | None, str]:
    found = _PROBE_KILL.match(text) or _PROBE_KILL_OLD.match(text)
    if found is not None:
        return Form.PROBE_KILL, found[1], found[2].lower(), text
    found = _PLAIN_STOP.match(text)
    if found is not None:
        return Form.PLAIN_STOP, found[1], None, text
    old = _KILLING_OLD.match(text)
    name = old[1] if old is not None else None
    if "FailedPostStartHook" in text:
        return Form.HOOK_FAILED, name, None, text
    if _PLANNED.search(text) is not None:
        planned = _PLANNED_NAME.match(text)
        return Form.PLANNED_RESTART, planned[1] if planned is not None else name, None, text
    if _LOST.search(text) is not None:
        return Form.LOST_STATE, name, None, text
    return Form.PLAIN_STOP, name, None, text


def _back_off(text: str) -> tuple[Form, str | None, str | None, str]:
    if text.startswith("Back-off pulling image"):
        return Form.IMAGE_BACKOFF, None, None, text
    found = _CRASH_BACKOFF.match(text) or _CRASH_BACKOFF_OLD.match(text)
    if found is not None:
        return Form.CRASH_BACKOFF, found[1], None, text
    return Form.OTHER, None, None, text


def _failed(text: str, *, has_path: bool) -> Form:
    if text.startswith(("Failed to pull image", "Failed to inspect image", "Failed to apply default image tag")):
        return Form.IMAGE_FAILED
    if _IMAGE_ERRORS.match(text) is not None:
        # The short second event of the same failure, or the back-off of an earlier one.
        return Form.IMAGE_BACKOFF
    if text.startswith("error making pod data directories"):
        return Form.SANDBOX_FAILED
    if text.startswith("Error: ") or text.startswith("Internal Pre") or has_path:
        return Form.CREATE_FAILED
    return Form.OTHER


# --- probe output ---------------------------------------------------------------------------------------------------------------


class Answer(StrEnum):
    """What a probe met."""

    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect_timeout"
    ANSWER_TIMEOUT = "answer_timeout"
    STATUS = "status"
    WRONG_PROTOCOL = "wrong_protocol"
    NOT_SERVING = "not_serving"
    UNIMPLEMENTED = "unimplemented"
    RESET = "reset"
    MISSING_COMMAND = "missing_command"
    COMMAND_FAILED = "command_failed"
    COMMAND_TIMEOUT = "command_timeout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ProbeOutput:
    """A probe's answer: the HTTP status for STATUS, and the port that was asked when the text tells it."""

    answer: Answer
    status: int | None = None
    port: int | None = None


_STATUS: Final = re.compile(r"HTTP probe failed with statuscode: (\d{3})")
_PORT: Final = re.compile(r"(?:dial tcp |service \"|https?://)(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\"\[]+):(\d{1,5})")
_WRONG_PROTOCOL: Final = re.compile(
    r"malformed HTTP|gave HTTP response to HTTPS client|first record does not look like a TLS handshake|"
    r"unexpected HTTP status|http2: |frame too large|tls: |x509: |wrong version number|HTTP/1\.x transport connection broken|"
    r"error reading server preface|unknown protocol",
    re.IGNORECASE,
)
_RESET: Final = re.compile(r"connection reset by peer|: EOF$|unexpected EOF|broken pipe|server closed idle connection", re.IGNORECASE)
_CONNECT_TIMEOUT: Final = re.compile(r"dial tcp [^ ]*: i/o timeout|failed to connect service|connect: no route to host|no such host|connection timed out", re.IGNORECASE)
_ANSWER_TIMEOUT: Final = re.compile(r"did not complete within|Client\.Timeout|request canceled|context deadline exceeded|i/o timeout|timed out awaiting", re.IGNORECASE)
_COMMAND_TIMEOUT: Final = re.compile(r'^command "?.*timed out|^command timed out', re.DOTALL)
_MISSING_COMMAND: Final = re.compile(
    r"executable file not found|exec: \"[^\"]+\": (?:stat|permission denied)|"
    r"(?:^|\n|: )(?:/?[\w./-]*sh|[\w./-]+): (?:line )?\d*:? ?[^\s:]+: (?:command )?not found\s*$|OCI runtime exec failed.*no such file or directory",
    re.IGNORECASE,
)


def read_probe_output(text: str) -> ProbeOutput:
    """What a failed probe met, from the text after ``probe failed: `` (pkg/probe/*, prober.go; both quotings of Go's url.Error)."""
    port_found = _PORT.search(text)
    port = int(port_found[1]) if port_found is not None else None
    status = _STATUS.search(text)
    if status is not None:
        return ProbeOutput(Answer.STATUS, int(status[1]), port)
    return ProbeOutput(_answer(text, looks_network=port is not None or text.startswith(("Get ", "dial ", "timeout: ", "error: "))), None, port)


def _answer(text: str, *, looks_network: bool) -> Answer:
    if "service unhealthy (responded with" in text:
        return Answer.NOT_SERVING
    if "does not implement the grpc health protocol" in text or "Unimplemented" in text:
        return Answer.UNIMPLEMENTED
    if _COMMAND_TIMEOUT.search(text) is not None:
        return Answer.COMMAND_TIMEOUT
    if _MISSING_COMMAND.search(text) is not None:
        return Answer.MISSING_COMMAND
    if looks_network:
        if "connection refused" in text:
            return Answer.REFUSED
        if _WRONG_PROTOCOL.search(text) is not None:
            return Answer.WRONG_PROTOCOL
        if _CONNECT_TIMEOUT.search(text) is not None:
            return Answer.CONNECT_TIMEOUT
        if _RESET.search(text) is not None:
            return Answer.RESET
        if _ANSWER_TIMEOUT.search(text) is not None:
            return Answer.ANSWER_TIMEOUT
        return Answer.UNKNOWN
    return Answer.COMMAND_FAILED


# --- runtime errors ------------------------------------------------------------------------------------------------------------

_ARCHITECTURE: Final = re.compile(r"exec format error", re.IGNORECASE)
_NO_EXECUTABLE: Final = re.compile(
    r"executable file (?:`[^`]*` )?not found|exec: \"[^\"]*\": (?:stat [^:]*: |is a directory|no such file)|"
    r"(?:exec|container process)[^\n]{0,200}no such file or directory|no such file or directory: unknown\s*$",
    re.IGNORECASE,
)
_EXEC_DENIED: Final = re.compile(r"exec: \"[^\"]*\":? ?(?:stat [^:]*: )?permission denied|(?:exec|container process)[^\n]{0,200}permission denied", re.IGNORECASE)
_MOUNT: Final = re.compile(r"error mounting|mount through procfd|subPath|rootfs_linux|failed to mount|mounting \"", re.IGNORECASE)
_INIT_OOM: Final = re.compile(r"OOM-killed|memory limit too low|Memory cgroup out of memory", re.IGNORECASE)


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


_CONFIG_MISSING: Final = re.compile(
    r"(?:secrets?|configmaps?) \"[^\"]*\" not found|couldn't find key|references non-existent (?:config|secret) key|"
    r"(?:secret|configmap)s? [^\s]+ not found|object \"[^\"]+\"/\"[^\"]+\" not registered",
    re.IGNORECASE,
)
_SECURITY: Final = re.compile(
    r"runAsNonRoot|run as root|non-root|non-numeric user|breaks non-root policy|[Aa]pp[Aa]rmor|seccomp|SELinux|"
    r"operation not permitted|allowPrivilegeEscalation|capabilit|sysctl",
)


def create_error_cause(text: str) -> str | None:
    """The cause that a failure to create a container names, or None (pkg/kubelet/kuberuntime, security_context.go)."""
    if _CONFIG_MISSING.search(text) is not None:
        return "config_missing"
    if _SECURITY.search(text) is not None:
        return "security_context_rejected"
    return None


# --- image pulls ---------------------------------------------------------------------------------------------------------------

_IMAGE_INVALID: Final = re.compile(r"InvalidImageName|couldn't parse image|invalid reference format|Failed to apply default image tag|must be lowercase", re.IGNORECASE)
_IMAGE_RATE: Final = re.compile(r"toomanyrequests|too many requests|rate limit|\b429\b", re.IGNORECASE)
_IMAGE_NETWORK: Final = re.compile(
    r"no such host|i/o timeout|connection refused|TLS handshake timeout|connection reset|network is unreachable|no route to host|"
    r"server misbehaving|x509:|gave HTTP response to HTTPS client|Temporary failure in name resolution|name resolution|"
    r"Client\.Timeout|context deadline exceeded|unexpected EOF|: EOF|proxyconnect|RegistryUnavailable|"
    r"50[0234] (?:Bad Gateway|Service|Gateway|Internal)|received unexpected HTTP status: 5|tls: ",
    re.IGNORECASE,
)
_IMAGE_PLATFORM: Final = re.compile(r"no match(?:ing manifest)? for (?:platform|linux)|no child with platform|does not match the specified platform|no image found in (?:image index|manifest list) for architecture", re.IGNORECASE)
_IMAGE_AMBIGUOUS: Final = re.compile(r"pull access denied|repository does not exist or may require|insufficient_scope|requested access to the resource is denied|may not exist", re.IGNORECASE)
_IMAGE_AUTH: Final = re.compile(r"unauthorized|authentication required|\b401\b|\b403\b|forbidden|no basic auth credentials|access denied|denied:|authorization failed|invalid username/password|incorrect username or password|permission", re.IGNORECASE)
_IMAGE_NOT_FOUND: Final = re.compile(r"manifest unknown|not found|\b404\b|name unknown|manifest for .* not found|no such image|is not present with pull policy of Never|ErrImageNeverPull|does not exist", re.IGNORECASE)
_IMAGE_HEAD: Final = re.compile(r'^(?:Back-off pulling image "[^"]*"|Failed to pull image "[^"]*")(?:: )?')


def image_error(text: str) -> str:
    """The part of a pull failure that says why: the text without the kubelet's own head."""
    return _IMAGE_HEAD.sub("", text).removeprefix("ErrImagePull: ")


def image_cause(text: str) -> tuple[str, float, tuple[tuple[str, float], ...]]:
    """Cause, confidence and alternatives that a registry's or runtime's words name."""
    why = image_error(text)
    for pattern, cause, confidence, others in (
        (_IMAGE_INVALID, "invalid_image_name", 0.97, ()),
        (_IMAGE_RATE, "image_pull_rate_limited", 0.95, ()),
        (_IMAGE_NETWORK, "image_pull_network", 0.92, (("image_not_found", 0.05),)),
        (_IMAGE_PLATFORM, "architecture_mismatch", 0.85, (("image_not_found", 0.1),)),
        (_IMAGE_AMBIGUOUS, "image_not_found", 0.6, (("image_pull_auth", 0.4),)),
        (_IMAGE_AUTH, "image_pull_auth", 0.92, (("image_not_found", 0.05),)),
        (_IMAGE_NOT_FOUND, "image_not_found", 0.95, (("image_pull_auth", 0.04),)),
    ):
        if pattern.search(why) is not None:
            return cause, confidence, others
    return "image_pull_failed", 0.5 if not why else 0.7, (("image_not_found", 0.25),)


# --- log tails -----------------------------------------------------------------------------------------------------------------

_LOG_PERMISSION: Final = re.compile(
    r"read-only file ?system|EROFS|permission denied|EACCES|Access ?Denied(?:Exception)?[: ].*[/\\]|Operation not permitted|can't create [^:]+: Permission|"
    r"PermissionError", re.IGNORECASE
)
_LOG_DEPENDENCY: Final = re.compile(
    r"connection refused|ECONNREFUSED|no such host|ENOTFOUND|EAI_AGAIN|getaddrinfo|name or service not known|temporary failure in name resolution|"
    r"could not resolve host|bad address|can't connect to|cannot connect to|could not connect|unable to connect|failed to connect|connection to .{0,80} (?:failed|refused|timed out)|"
    r"connection timed out|connect timeout|connect(?:ion)? timeout expired|dial tcp .*(?:timeout|refused)|i/o timeout|ETIMEDOUT|EHOSTUNREACH|no route to host|network is unreachable|"
    r"connection reset by peer|ECONNRESET|host is unreachable|UnknownHostException|ConnectException|SocketTimeoutException|Communications link failure|"
    r"is the server running|server selection timed? ?out|no reachable servers|ServiceUnavailable|cannot reach|could not reach|couldn't connect|"
    r"connection is not available|lookup .* on .*:53|waiting for .{0,60} (?:to be (?:ready|available)|timed out)",
    re.IGNORECASE,
)
_LOG_CONFIG: Final = re.compile(
    r"KeyError: ['\"][A-Z][A-Z0-9_]+['\"]|missing (?:required )?(?:env|environment|config|setting|variable|parameter|property|option|flag|argument)|"
    r"(?:environment variable|env var|variable|setting|property|parameter|option|key|config(?:uration)?)s? .{0,60}(?:is |are |was |must be |not )(?:required|not set|unset|missing|undefined|empty|invalid|set|found|defined)|"
    r"required (?:env|environment|config|setting|variable|property|key|flag|argument)|invalid (?:config|configuration|value|argument|option|setting|port|url)|"
    r"bad (?:config|directive|value|option)|FATAL CONFIG|unknown (?:directive|option|argument|flag|key|configuration)|unrecognized (?:option|argument)|"
    r"(?:config|configuration|settings?|properties|\.ya?ml|\.json|\.toml|\.conf|\.cfg|\.ini|\.env)\b.{0,80}(?:not found|no such file|does not exist|cannot find|can't open|could not (?:read|open|load|parse)|invalid|syntax|error|failed)|"
    r"(?:cannot|can't|could not|couldn't|unable to|failed to) (?:find|read|open|load|parse) .{0,80}(?:config|settings?|\.ya?ml|\.json|\.toml|\.conf|\.cfg|\.ini|\.env)|"
    r"FileNotFoundError|ENOENT|No such file or directory|unbound variable|parameter not set|parameter null or not set|"
    r"error parsing|failed to parse|parse error|yaml: |\bemerg\b.*(?:directive|invalid|unknown|in /)|undefined environment|Could not resolve placeholder|"
    r"improperlyconfigured|ValidationError|configuration error|misconfigur|usage: ",
    re.IGNORECASE,
)
#: Lines that only mention trouble on the way to something else.
_LOG_NOISE: Final = re.compile(r"\b(?:debug|trace)\b|retry(?:ing)? in|will retry", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LogHint:
    """What a log's tail points to, with the line that says so."""

    cause: str
    line: str


def read_log(text: str, max_lines: int = 40) -> LogHint | None:
    """The cause that the last lines of a log name, or None. The last telling line wins: what was said last is nearest to the end."""
    lines = [line for line in text[-8192:].splitlines() if line.strip()][-max_lines:]
    fallback: LogHint | None = None
    for line in reversed(lines):
        short = line.strip()[:512]
        for pattern, cause in (
            (_LOG_DEPENDENCY, "dependency_unavailable"),
            (_LOG_PERMISSION, "read_only_or_permission"),
            (_LOG_CONFIG, "config_error"),
        ):
            if pattern.search(short) is not None:
                hint = LogHint(cause, short)
                if _LOG_NOISE.search(short) is None:
                    return hint
                fallback = fallback or hint
                break
    return fallback


_LISTENING: Final = re.compile(
    r"(?:listening|listen|serving|started|running|bound|server|http)[^\n]{0,60}?(?:port[ =:]+|(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::\]|\*)?:)(\d{2,5})\b", re.IGNORECASE
)


def listening_port(text: str) -> int | None:
    """The port that a log says the process listens on, or None."""
    found = None
    for match in _LISTENING.finditer(text[-8192:]):
        port = int(match[1])
        if 0 < port < 65536:
            found = port
    return found
