"""What an Event on a pod says, whatever the wording of its era."""

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
_PROBE_KILL_OLD: Final = re.compile(
    r"^Killing container with id [^:]+://([^:]+):.*failed (liveness|startup) probe", re.IGNORECASE
)
_KILLING_OLD: Final = re.compile(r"^Killing container with id [^:]+://([^:]+):")
#: Up to 1.7 the liveness probe's kill did not name the probe; no other probe killed then.
_UNHEALTHY_OLD: Final = re.compile(r'^Killing container with id [^:]+://([^:]+):.*container "[^"]*" is unhealthy')
_PLAIN_STOP: Final = re.compile(r"^Stopping container (\S+)$")
_PLANNED: Final = re.compile(r"definition changed|resize requires restart$|spec hash changed|^killing$")
_PLANNED_NAME: Final = re.compile(r"^(?:Init c|C)ontainer (\S+) (?:definition changed|resize requires restart)")
_LOST: Final = re.compile(r'is in "?\w+"? state, try killing it before restart$')
_CRASH_BACKOFF: Final = re.compile(r"^Back-off restarting failed container(?:[= ](\S+) in pod |$)", re.IGNORECASE)
_CRASH_BACKOFF_OLD: Final = re.compile(
    r"^(?:Back-off|back-off) .*restarting failed (?:container|docker container)(?:=(\S+))?(?:\s|$)"
)
_PROBE_FAILED: Final = re.compile(r"^(Liveness|Readiness|Startup) probe failed: ?")
_PROBE_ERRORED: Final = re.compile(r"^(Liveness|Readiness|Startup) probe errored(?: and resulted in \w+ state)?: ?")
_POST_START: Final = re.compile(r"postStart|PostStart|Post-start|post-start")

_VOLUME_REASONS: Final = frozenset(
    {"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedBinding", "VolumeConditionAbnormal"}
)
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
        is_init = is_init and named == container
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
    found = _UNHEALTHY_OLD.match(text)
    if found is not None:
        return Form.PROBE_KILL, found[1], "liveness", text
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
    if text.startswith(("Error: ", "Internal Pre")) or has_path:
        return Form.CREATE_FAILED
    return Form.OTHER
