"""The container cannot be created: what it refers to is missing, its security context is refused, or the runtime fails.

Sources: pkg/kubelet/kuberuntime/kuberuntime_container.go:238-294 (CreateContainerConfigError, CreateContainerError), security_context.go.
"""

import re
from typing import Final, cast

from processor.messages import Form, create_error_cause, runtime_point, start_error_cause
from processor.rules.view import CauseDoc, Source, Subject, Verdict, View, status_evidence
from schemas.diagnosis import CauseId

CAUSES: Final = (
    CauseDoc(
        "config_missing",
        "container_create",
        "A Secret, a ConfigMap or a key in one that the container refers to does not exist.",
        '`CreateContainerConfigError`, or a Failed event that says `secret "x" not found`, `configmap "x" not found` or `couldn\'t find key`.',
        (
            "Create the missing object or key in the pod's namespace.",
            "Or correct the name in env, envFrom or volumes; or set optional: true.",
        ),
    ),
    CauseDoc(
        "security_context_rejected",
        "container_create",
        "The security context cannot be met by the image or the node.",
        "The kubelet says that runAsNonRoot meets an image that runs as root, or that a profile cannot be loaded.",
        ("Set securityContext.runAsUser to a user other than 0.", "Or change USER in the image."),
    ),
    CauseDoc(
        "create_container_error",
        "container_create",
        "The runtime cannot create or start the container, for another reason.",
        "`CreateContainerError`, or `RunContainerError` whose message is not about the executable.",
        ("Read the runtime's message in the evidence: mounts, devices, names in use.",),
    ),
)

_WAITING: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "PreCreateHookError", "RunContainerError", "PreStartHookError"}
)
_OBJECT: Final = re.compile(r"(secret|configmap)s? \"([^\"]*)\" not found", re.IGNORECASE)
_KEY: Final = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) (\S+)", re.IGNORECASE)


def decide(view: View, subject: Subject) -> Verdict | None:
    """The verdict on a container's creation, or None. Start errors that name the executable are the restarts family's."""
    settled = view.settled_ms(subject.name, "container_create")
    signals = [signal for signal in view.of(Form.CREATE_FAILED, subject.name) if signal.at_ms > settled]
    waiting = subject.waiting_reason in _WAITING
    if not waiting:
        signals = [signal for signal in signals if view.is_fresh(signal.at_ms)]
        if not signals or _has_started_since(view, subject, max(signal.at_ms for signal in signals)):
            return None
    newest = max(signals, key=lambda signal: (signal.at_ms, signal.key), default=None)
    text = (subject.facts.create_error or "") if waiting else ""
    text = text or (newest.text if newest is not None else "") or subject.facts.waiting_text or ""
    if start_error_cause(text) is not None:
        return None
    if not text and subject.waiting_reason == "RunContainerError":
        return None
    cause = create_error_cause(text) or (
        "config_missing" if subject.waiting_reason == "CreateContainerConfigError" and not text else None
    )
    count = max([signal.count for signal in signals], default=0)
    failures = max(subject.facts.create_failures, count)
    confidence = 0.95 if cause is not None and text else 0.6
    if cause is None:
        cause, confidence = "create_container_error", 0.8 if text else 0.6
    since = subject.facts.waiting_since_ms
    lasting = waiting and since is not None and view.passed(since + view.settings.grace_seconds * 1000)
    opens = cause != "create_container_error" or failures >= 2 or lasting or view.settings.one_moment
    evidence: list[Source] = [newest] if newest is not None else []
    if waiting:
        evidence.insert(
            0, status_evidence(view, subject.waiting_reason, subject.facts.waiting_text or f"waiting: {subject.waiting_reason}")
        )
    moments = [signal.at_ms for signal in signals] or [view.track.pod_seen_ms]
    firsts = [signal.first_ms for signal in signals] or [subject.facts.waiting_since_ms or view.track.pod_seen_ms]
    return Verdict(
        problem="container_create",
        container=subject.name,
        cause=cast("CauseId", cause),
        confidence=confidence,
        summary=_summary(cause, text),
        rule=f"creation.{cause}",
        opens=opens,
        first_ms=min(firsts),
        last_ms=max(moments),
        occurrences=max([1, *(view.within_window(signal) for signal in signals)]),
        remediation=_remediation(cause, text, view.pod.namespace or view.track.namespace, subject.name),
        evidence=evidence,
        condition="waiting",
    )


def _has_started_since(view: View, subject: Subject, since_ms: int) -> bool:
    if subject.is_running:
        return True
    started = view.latest(Form.STARTED, subject.name)
    return started is not None and started.at_ms >= since_ms


def has_got_past(view: View, subject: Subject, since_ms: int) -> bool:
    """Whether the container was started since a moment."""
    if subject.waiting_reason in _WAITING:
        return False
    return _has_started_since(view, subject, since_ms) or bool(
        subject.container.state is not None and subject.container.state.terminated
    )


def _summary(cause: str, text: str) -> str:
    found = _OBJECT.search(text)
    key = _KEY.search(text)
    if cause == "config_missing":
        if key is not None:
            return f"{key[2]} {key[3]} has no key {key[1]}, which the container needs"
        if found is not None:
            kind = "Secret" if found[1].lower().startswith("secret") else "ConfigMap"
            return f"{kind} {found[2]} does not exist, and the container needs it"
        return "a Secret, ConfigMap or key that the container needs does not exist"
    short = " ".join(runtime_point(text).split())[:200]
    if cause == "security_context_rejected":
        return f"the security context is refused: {short}"
    return f"the runtime cannot create the container: {short}" if short else "the runtime cannot create the container"


def _remediation(cause: str, text: str, namespace: str, container: str) -> tuple[str, ...]:
    if cause == "config_missing":
        found = _OBJECT.search(text)
        key = _KEY.search(text)
        if key is not None:
            name = key[3].rsplit("/", 1)[-1]
            return (
                f"Add the key {key[1]}: kubectl -n {namespace} edit {key[2].lower()} {name}",
                "Or correct the key's name in env.valueFrom, or set optional: true",
            )
        if found is not None:
            kind = "secret" if found[1].lower().startswith("secret") else "configmap"
            return (
                f"Create it: kubectl -n {namespace} create {kind} {'generic ' if kind == 'secret' else ''}{found[2]} …",
                "Or correct its name in env, envFrom or volumes, or set optional: true",
            )
        return (
            f"List what exists: kubectl -n {namespace} get secrets,configmaps",
            f"Compare with env and envFrom of container {container}",
        )
    if cause == "security_context_rejected":
        return (
            f"Set spec.containers[{container}].securityContext.runAsUser to a user other than 0",
            "Or set USER in the image to a number other than 0",
        )
    return (
        "Read the runtime's message in the evidence (mounts, devices, names in use)",
        "On the node: crictl ps -a, and the kubelet's log",
    )
