"""The image cannot be pulled: told apart by the runtime's words.

Sources: pkg/kubelet/images/image_manager.go, pkg/kubelet/images/types.go; registry texts of containerd, CRI-O and dockershim.
"""

import re
from typing import Final, cast

from processor.messages import Form, image_cause, image_error
from processor.rules.reason import short_text
from processor.rules.view import CauseDoc, Source, Subject, Verdict, View, status_evidence
from schemas.diagnosis import CauseId

CAUSES: Final = (
    CauseDoc(
        "image_not_found",
        "image_pull",
        "The registry answers, and has no such repository, tag or digest.",
        "`ErrImagePull` or `ImagePullBackOff` with `not found`, `manifest unknown` or `repository does not exist`; or pull policy Never and no such image on the node.",
        ("Check the image's name and tag in the workload's spec.image.", "Push the image, or name a tag that exists."),
    ),
    CauseDoc(
        "image_pull_auth",
        "image_pull",
        "The registry refuses the pull: no or wrong credentials, or no right to this repository.",
        "The runtime's message says `unauthorized`, `authentication required`, `denied`, 401 or 403.",
        (
            "Create a docker-registry Secret and name it in spec.imagePullSecrets.",
            "Check that the credentials may pull this repository.",
        ),
    ),
    CauseDoc(
        "image_pull_network",
        "image_pull",
        "The node cannot reach the registry: name resolution, connection, or TLS fails.",
        "The runtime's message says `no such host`, `i/o timeout`, `connection refused`, `x509` or a 5xx status.",
        (
            "Check the registry's host name in the image.",
            "From the node, check DNS, proxy, firewall and certificates for that host.",
        ),
    ),
    CauseDoc(
        "image_pull_rate_limited",
        "image_pull",
        "The registry limits how often this address or account may pull.",
        "The runtime's message says `toomanyrequests` or 429.",
        ("Authenticate the pulls with spec.imagePullSecrets.", "Use a mirror or a pull-through cache."),
    ),
    CauseDoc(
        "invalid_image_name",
        "image_pull",
        "The image's name cannot be parsed.",
        "`InvalidImageName`, or `couldn't parse image name` in the event.",
        ("Correct spec.image: lower-case repository, one tag or digest.",),
    ),
    CauseDoc(
        "image_pull_failed",
        "image_pull",
        "The pull fails for a reason that is none of the others.",
        "`ErrImagePull` or `ImagePullBackOff` whose message names nothing known, or no message at all.",
        ("Read the runtime's message in the evidence.", "Try the pull on the node with crictl pull."),
    ),
)

_WAITING: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ErrInvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_RPC: Final = re.compile(r"rpc error: code = \w+ desc = ")
_NEEDS_SECOND: Final = frozenset({"image_pull_network", "image_pull_rate_limited", "image_pull_failed"})
_FIXED: Final = {
    "InvalidImageName": "invalid_image_name",
    "ErrInvalidImageName": "invalid_image_name",
    "ErrImageNeverPull": "image_not_found",
}


def is_waiting_for_image(subject: Subject) -> bool:
    """Whether the status says that the image is what the container waits for."""
    return subject.waiting_reason in _WAITING


def has_got_past(view: View, subject: Subject, since_ms: int) -> bool:
    """Whether the container has come further than its image since a moment: it runs, ended, or was started."""
    if subject.waiting_reason in _WAITING:
        return False
    state = subject.container.state
    if state is not None and (state.running is not None or state.terminated is not None):
        return True
    for form in (Form.STARTED, Form.CREATED, Form.PULLED):
        signal = view.latest(form, subject.name)
        if signal is not None and signal.at_ms >= since_ms:
            return True
    return subject.waiting_reason in (
        "CrashLoopBackOff",
        "RunContainerError",
        "CreateContainerConfigError",
        "CreateContainerError",
    )


def decide(view: View, subject: Subject) -> Verdict | None:
    """The verdict on a container's image, or None when nothing is wrong with it."""
    reason = subject.waiting_reason
    signals = [signal for form in (Form.IMAGE_FAILED, Form.IMAGE_BACKOFF) for signal in view.of(form, subject.name)]
    settled = view.settled_ms(subject.name, "image_pull")
    signals = [signal for signal in signals if signal.at_ms > settled]
    waiting = reason in _WAITING
    if not waiting:
        signals = [signal for signal in signals if view.is_fresh(signal.at_ms)]
        if not signals:
            return None
        if has_got_past(view, subject, max(signal.at_ms for signal in signals)):
            return None
    failed = [signal for signal in signals if signal.form == Form.IMAGE_FAILED.value]
    newest = max(failed, key=lambda signal: (signal.at_ms, signal.key), default=None)
    text = subject.facts.pull_error if waiting and subject.facts.pull_error else (newest.text if newest is not None else "")
    if not text and subject.facts.waiting_text and waiting:
        text = subject.facts.waiting_text
    why = image_error(text)
    cause, confidence, others = image_cause(text)
    fixed = _FIXED.get(reason or "") or next((_named(signal.text) for signal in signals if _named(signal.text)), None)
    if fixed is not None:
        cause, confidence, others = fixed, 0.95, ()
    failures = max([subject.facts.pull_failures, *(signal.count for signal in failed)])
    backoffs = max([signal.count for signal in signals if signal.form == Form.IMAGE_BACKOFF.value], default=0)
    opens = cause not in _NEEDS_SECOND or failures >= 2 or view.settings.one_moment or (failures == 0 and backoffs >= 2)
    if not waiting and view.has_pod and subject.container.state is not None and not view.settings.one_moment:
        opens = opens and reason in (None, "ContainerCreating", "PodInitializing")
    moments = [signal.at_ms for signal in signals] or [view.track.pod_seen_ms]
    firsts = [signal.first_ms for signal in signals] or [subject.facts.waiting_since_ms or view.track.pod_seen_ms]
    evidence: list[Source] = [newest] if newest is not None else [*signals[:1]]
    if waiting:
        evidence.insert(0, status_evidence(view, reason, subject.facts.waiting_text or f"waiting: {reason}"))
    image = subject.container.image or _image_in(signals)
    never = reason == "ErrImageNeverPull" or "pull policy of Never" in text
    unsure = cause == "image_not_found" and dict(others).get("image_pull_auth", 0.0) >= 0.3
    return Verdict(
        problem="image_pull",
        container=subject.name,
        cause=cast("CauseId", cause),
        confidence=confidence if waiting else confidence * 0.95,
        summary=_summary(cause, image, why, never=never, unsure=unsure),
        rule=f"images.{cause}",
        opens=opens,
        first_ms=min(firsts),
        last_ms=max(moments),
        occurrences=max([1, *(view.within_window(signal) for signal in failed)]) if failed else max(1, failures),
        remediation=_remediation(cause, image, why, never=never, unsure=unsure),
        alternatives=cast("tuple[tuple[CauseId, float], ...]", others),
        evidence=evidence,
        condition="waiting",
    )


def _named(text: str) -> str | None:
    for word, cause in _FIXED.items():
        if word in text:
            return cause
    return None


def _image_in(signals: list) -> str | None:  # type: ignore[type-arg]
    for signal in signals:
        before, quote, rest = signal.text.partition('image "')
        if quote and before is not None:
            return str(rest.partition('"')[0])
    return None


def _host_of(image: str | None) -> str:
    if not image:
        return "the registry"
    head = image.split("/", 1)[0]
    return head if "/" in image and ("." in head or ":" in head or head == "localhost") else "docker.io"


def _repository(image: str) -> str:
    """The image without tag and digest."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _summary(cause: str, image: str | None, why: str, *, never: bool, unsure: bool) -> str:
    if never:
        return f"image {image or 'of the container'} is not present on the node, and imagePullPolicy is Never"
    name = image or "the image"
    host = _host_of(image)
    short = short_text(_RPC.sub("", why))
    if "platform" in why and cause == "image_not_found":
        return f"image {name} has no variant for this node's platform"
    if cause == "image_pull_network" and ("x509" in why or "HTTP response to HTTPS" in why):
        return f"the node does not trust {host}, or speaks TLS to a registry that does not: {short}"
    if unsure:
        return f"image {name} does not exist, or pulling it needs credentials: {host} does not say which"
    words = {
        "image_not_found": f"image {name} does not exist in its registry",
        "image_pull_auth": f"{host} refuses to let the node pull {name}",
        "image_pull_network": f"the node cannot reach {host} to pull {name}",
        "image_pull_rate_limited": f"{host} limits the rate of pulls and refuses {name}",
        "invalid_image_name": f"{name} is no valid image name",
    }
    return words.get(cause) or f"pulling {name} fails" + (f": {short}" if short else "")


def _remediation(cause: str, image: str | None, why: str, *, never: bool, unsure: bool) -> tuple[str, ...]:
    if never:
        return (
            "Set imagePullPolicy to IfNotPresent, or load the image onto every node",
            f"Check the name and tag: {image or '<image>'}",
        )
    name = image or "<image>"
    host = _host_of(image)
    if "platform" in why and cause == "image_not_found":
        return (
            f"Build {name} for the node's platform (docker buildx build --platform …)",
            "Or select other nodes with kubernetes.io/arch in spec.nodeSelector",
        )
    if cause == "image_pull_network" and "x509" in why:
        return (
            f"Install the authority of {host} on the node (containerd: certs.d/{host}/hosts.toml)",
            f"On the node: curl -v https://{host}/v2/",
        )
    if cause == "image_pull_network" and "HTTP response to HTTPS" in why:
        return (
            f"Tell the node's runtime that {host} is an insecure registry (containerd: certs.d/{host}/hosts.toml)",
            "Or serve the registry with TLS",
        )
    if unsure:
        return (
            f"Check the name and tag of the container's image: {name}",
            f"If it is private, create a pull secret for {host} (kubectl create secret docker-registry …) and name it in spec.imagePullSecrets",
        )
    return {
        "image_not_found": (
            f"Check the name and tag of spec.containers[].image: {name}",
            f"List what exists: skopeo list-tags docker://{_repository(name)}",
        ),
        "image_pull_auth": (
            f"Create a pull secret for {host} (kubectl create secret docker-registry …) and name it in spec.imagePullSecrets",
            f"Check that its account may pull {name}",
        ),
        "image_pull_network": (
            f"Check the host name {host} in spec.containers[].image",
            f"On the node: getent hosts {host.split(':')[0]}; curl -v https://{host}/v2/",
        ),
        "image_pull_rate_limited": (
            f"Pull with an account: spec.imagePullSecrets for {host}",
            "Or use a mirror or pull-through cache",
        ),
        "invalid_image_name": (f"Correct spec.containers[].image: {name} (lower-case repository, one tag or digest)",),
        "architecture_mismatch": (
            f"Build {name} for the node's platform, or select other nodes with kubernetes.io/arch in spec.nodeSelector",
        ),
    }.get(cause, ("Read the runtime's message in the evidence", f"On the node: crictl pull {name}"))
