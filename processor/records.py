"""A diagnosis record from a verdict: words, names and limits of contract section 3. No decision is taken here."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final, Literal, cast

import msgspec

from processor.history import End, Episode, PodHistory, Track
from processor.rules import RULES_VERSION, Subject, Verdict, View
from processor.rules.probes import target_text
from processor.rules.view import Source, evidence_of
from processor.settings import PRODUCER_NAME
from schemas.codec import decode_diagnosis, encode
from schemas.diagnosis import (
    EVIDENCE_MAX_ITEMS,
    EVIDENCE_TEXT_MAX_CHARACTERS,
    MESSAGE_MAX_CHARACTERS,
    SCHEMA_VERSION,
    SEVERITY_NUMBERS,
    Alternative,
    Cause,
    ContainerImage,
    Diagnosis,
    DiagnosisBody,
    Evidence,
    Image,
    K8s,
    K8sCluster,
    K8sContainer,
    K8sName,
    K8sPod,
    K8sWorkload,
    ProbeVerdict,
    Problem,
    Producer,
    RedactionCount,
    Resolution,
    Resources,
    Rule,
    Severity,
    State,
    Termination,
)
from schemas.identity import diagnosis_id
from schemas.observation import Container
from schemas.timestamps import format_ms

_MAX_BYTES: Final = 60 * 1024


def _version() -> str:
    try:
        return version("podcause")
    except PackageNotFoundError:
        return "0"


PRODUCER: Final = Producer(name=PRODUCER_NAME, version=_version())


def severity_of(view: View, verdict: Verdict) -> Severity:
    """The severity of an open episode: by the first of the settings' rules that matches, else the default."""
    for rule in view.settings.severity_rules:
        if rule.matches(verdict.cause, view.track.namespace, view.pod.labels):
            return rule.severity
    return "warning" if verdict.problem == "not_ready" else "error"


def workload_of(track: Track) -> tuple[str, str, str | None]:
    """Kind, name and UID of the top workload; the pod itself when no owner is known."""
    owner = track.pod.owner if track.pod is not None else None
    if owner is not None:
        return owner.kind, owner.name, owner.uid
    return "Pod", track.name, track.uid


def build(
    history: PodHistory, view: View, episode: Episode, verdict: Verdict, subject: Subject | None, state: str
) -> Diagnosis:
    """One revision of an open episode."""
    severity = cast("Severity", episode.severity)
    moment = format_ms(max(view.now_ms, view.clock_ms))
    record = Diagnosis(
        timestamp=moment,
        schema_version=SCHEMA_VERSION,
        message=_message(view, verdict),
        severity=severity,
        severity_number=SEVERITY_NUMBERS[severity],
        diagnosis=DiagnosisBody(
            id=diagnosis_id(
                history.cluster_uid, view.track.uid or _uidless(view.track), episode.container, episode.problem, episode.ordinal
            ),
            fingerprint=episode.fingerprint,
            revision=episode.revision,
            state=cast("State", state),
            problem=cast("Problem", episode.problem),
            cause=_cause(verdict),
            remediation=tuple(_cut(step, 512) for step in verdict.remediation),
            opened_at=format_ms(episode.opened_ms),
            first_observed_at=format_ms(episode.first_ms),
            last_observed_at=format_ms(episode.last_ms),
            occurrences=max(1, episode.occurrences),
            window_seconds=view.settings.window_seconds,
        ),
        rule=Rule(id=verdict.rule, version=RULES_VERSION),
        k8s=_k8s(history, view, episode, subject),
        container=_image(subject.container) if subject is not None else None,
        termination=termination_of(verdict.end),
        probe=_probe(verdict),
        resources=Resources(memory_limit_bytes=verdict.memory_limit_bytes) if verdict.memory_limit_bytes is not None else None,
        evidence=_evidence(verdict.evidence),
        redaction=RedactionCount(count=view.track.redactions) if view.track.redactions else None,
        producer=PRODUCER,
    )
    return _within_limit(record)


def repeated(episode: Episode, moment_ms: int, verdict: Verdict) -> Diagnosis:
    """What was said last, with new counts: for news that comes with less evidence than before."""
    last = decode_diagnosis(episode.body)
    body = msgspec.structs.replace(
        last.diagnosis,
        revision=episode.revision,
        state="updated",
        occurrences=max(1, episode.occurrences),
        last_observed_at=format_ms(episode.last_ms),
    )
    return msgspec.structs.replace(
        last, timestamp=format_ms(moment_ms), diagnosis=body, termination=termination_of(verdict.end) or last.termination
    )


def resolved(episode: Episode, moment_ms: int, resolution: Resolution) -> Diagnosis:
    """The last revision of an episode: what was said last, and how it ended."""
    last = decode_diagnosis(episode.body)
    moment = format_ms(moment_ms)
    body = msgspec.structs.replace(
        last.diagnosis,
        revision=episode.revision,
        state="resolved",
        occurrences=max(1, episode.occurrences, episode.latest_occurrences),
        last_observed_at=format_ms(episode.last_ms),
        resolved_at=moment,
        resolution=resolution,
    )
    words = {
        "recovered": "is well again",
        "deleted": "was deleted",
        "replaced": "was replaced by a new pod of the same name",
        "completed": "has completed",
        "expired": "is no longer watched for this",
    }
    where = f"{last.k8s.namespace.name}/{last.k8s.pod.name}"
    of_pod = resolution in ("deleted", "replaced") or episode.container is None
    what = f"pod {where}" if of_pod else f"container {episode.container} of {where}"
    message = f"Resolved: {what} {words[resolution]} (was: {last.diagnosis.cause.summary})"
    return msgspec.structs.replace(
        last,
        timestamp=moment,
        message=_cut(message, MESSAGE_MAX_CHARACTERS),
        severity="info",
        severity_number=SEVERITY_NUMBERS["info"],
        diagnosis=body,
        k8s=_with_restart_count(last.k8s, episode.restart_count),
        termination=termination_of(episode.end) or last.termination,
    )


def _with_restart_count(k8s: K8s, restart_count: int | None) -> K8s:
    if k8s.container is None or restart_count is None:
        return k8s
    return msgspec.structs.replace(k8s, container=msgspec.structs.replace(k8s.container, restart_count=restart_count))


def _uidless(track: Track) -> str:
    """What stands for the pod's UID in identities when partial data has none."""
    return f"{track.namespace}/{track.name}"


def _message(view: View, verdict: Verdict) -> str:
    where = f"{view.track.namespace}/{view.track.name}"
    what = f"Container {verdict.container} of {where}" if verdict.container is not None else f"Pod {where}"
    step = f". Next: {verdict.remediation[0]}" if verdict.remediation else ""
    return _cut(" ".join(f"{what}: {verdict.summary}{step}".split()), MESSAGE_MAX_CHARACTERS)


def _cause(verdict: Verdict) -> Cause:
    seen: set[str] = {verdict.cause}
    alternatives = []
    for name, confidence in verdict.alternatives:
        if name not in seen and confidence > 0:
            seen.add(name)
            alternatives.append(Alternative(id=name, confidence=round(min(1.0, confidence), 2)))
    return Cause(
        id=verdict.cause,
        confidence=round(verdict.confidence, 2),
        summary=_cut(" ".join(verdict.summary.split()), 512),
        alternatives=tuple(alternatives),
    )


def _k8s(history: PodHistory, view: View, episode: Episode, subject: Subject | None) -> K8s:
    track, pod = view.track, view.pod
    kind = episode.workload_kind
    named = K8sName(name=episode.workload_name)
    container = None
    if episode.container is not None:
        container = K8sContainer(
            name=episode.container,
            type=subject.type if subject is not None else None,
            restart_count=subject.container.restart_count if subject is not None else None,
        )
    return K8s(
        cluster=K8sCluster(name=history.cluster_name, uid=history.cluster_uid),
        namespace=K8sName(name=track.namespace),
        pod=K8sPod(name=track.name, uid=track.uid, labels=pod.labels),
        workload=K8sWorkload(kind=kind, name=episode.workload_name, uid=episode.workload_uid),
        node=K8sName(name=pod.node) if pod.node is not None else None,
        container=container,
        deployment=named if kind == "Deployment" else None,
        statefulset=named if kind == "StatefulSet" else None,
        daemonset=named if kind == "DaemonSet" else None,
        replicaset=named if kind == "ReplicaSet" else None,
        job=named if kind == "Job" else None,
        cronjob=named if kind == "CronJob" else None,
    )


def _image(container: Container) -> ContainerImage | None:
    if container.image is None:
        return None
    if container.image.startswith("sha256:"):
        # The image has no name on the node: only what it was pulled as may have one.
        name, _, known = (container.image_id or "").removeprefix("docker-pullable://").partition("@")
        return ContainerImage(image=Image(name=name or container.image, digest=known or container.image))
    rest, _, digest = container.image.partition("@")
    head, colon, tag = rest.rpartition(":")
    has_tag = bool(colon) and "/" not in tag
    if not digest and container.image_id is not None and "@sha256:" in container.image_id:
        digest = container.image_id.partition("@")[2]
    return ContainerImage(image=Image(name=head if has_tag else rest, tag=tag if has_tag else None, digest=digest or None))


def termination_of(end: End | None) -> Termination | None:
    """A termination as the record has it."""
    if end is None:
        return None
    lasted = end.finished_ms - end.started_ms if end.finished_ms is not None and end.started_ms is not None else None
    return Termination(
        reason=end.reason,
        exit_code=end.exit_code,
        signal=end.signal or None,
        started_at=format_ms(end.started_ms) if end.started_ms is not None else None,
        finished_at=format_ms(end.finished_ms) if end.finished_ms is not None else None,
        duration_ms=lasted if lasted is not None and lasted >= 0 else None,
        message=_cut(end.message, EVIDENCE_TEXT_MAX_CHARACTERS) if end.message else None,
    )


def _probe(verdict: Verdict) -> ProbeVerdict | None:
    if verdict.probe_kind is None:
        return None
    probe = verdict.probe
    return ProbeVerdict(
        kind=cast("Literal['liveness', 'readiness', 'startup']", verdict.probe_kind),
        handler=probe.handler if probe is not None else None,
        target=target_text(probe),
        initial_delay_seconds=probe.initial_delay_seconds if probe is not None else None,
        period_seconds=probe.period_seconds if probe is not None else None,
        timeout_seconds=probe.timeout_seconds if probe is not None else None,
        failure_threshold=probe.failure_threshold if probe is not None else None,
        output=_cut(verdict.probe_output, EVIDENCE_TEXT_MAX_CHARACTERS) if verdict.probe_output else None,
    )


def _evidence(items: list[Source]) -> tuple[Evidence, ...]:
    seen: set[tuple[str, str, str | None]] = set()
    unique: list[Evidence] = []
    for item in map(evidence_of, items):
        short = msgspec.structs.replace(item, text=_cut(item.text, EVIDENCE_TEXT_MAX_CHARACTERS))
        key = (short.kind, short.text, short.source_id)
        if key not in seen:
            seen.add(key)
            unique.append(short)
    # Newest first; what has no time of its own (the spec) comes last.
    unique.sort(key=lambda item: item.last_at or "", reverse=True)
    return tuple(unique[:EVIDENCE_MAX_ITEMS])


def _within_limit(record: Diagnosis) -> Diagnosis:
    size = len(encode(record))
    while size > _MAX_BYTES and record.evidence:
        record = msgspec.structs.replace(record, evidence=record.evidence[:-1], truncated=True)
        size = len(encode(record))
    return record


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
