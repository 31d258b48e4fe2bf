"""Raw core/v1 objects and logs to observations (contract section 2). Pure: no clock, no client, no state.

Objects may be partial or hostile: only a name is certain, and what is unreadable is left out. It must not judge what a pod's
state means, and must not let a user's text through without `texts`.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from collector.pod_projection import project
from collector.raw_values import Raw, mapping, positive, short_text, timestamp
from collector.settings import TranslationSettings
from collector.texts import Memo, Texts
from schemas.codec import RECORD_MAX_BYTES, encode
from schemas.observation import (
    SCHEMA_VERSION,
    Clock,
    ClockObservation,
    Cluster,
    Event,
    EventObservation,
    EventSeries,
    Gap,
    GapObservation,
    Log,
    LogObservation,
    ObjectReference,
    Pod,
    PodDeletedObservation,
    PodObservation,
    Redaction,
)

#: What a watch says of an object that is there. DELETED is expiry for an event (contract section 2), BOOKMARK is none.
_PRESENT: Final = frozenset({"ADDED", "MODIFIED"})
#: Answers of the API server with status 200 that are no log (pkg/kubelet/kubelet_pods.go, kuberuntime_logs.go).
_NO_LOGS: Final = ("unable to retrieve container logs for ", "failed to try resolving symlinks in path ")
#: For records over the limit: ever shorter texts, in characters, and then ever fewer parts.
_CAPS: Final = (None, 8192, 1024, 256)
_LAST_CAP: Final = 64

_Body = TypeVar("_Body", Event, Pod, Log)


class TranslationError(ValueError):
    """An object that says not even what it is; ``field`` is the field that is missing. A retry does not help."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class Translator:
    """Translates what one cluster's watches bring. ``observed_at`` is always the collector's receipt, in the records' form."""

    __slots__ = ("_settings", "cluster")

    def __init__(self, cluster: Cluster, settings: TranslationSettings | None = None) -> None:
        self.cluster = cluster
        self._settings = settings or TranslationSettings()

    def event(self, raw: Any, observed_at: str, change_type: str = "ADDED") -> EventObservation | None:  # noqa: ANN401 - raw JSON
        """An Event on a Pod; None for events on other objects and for DELETED, which is expiry.

        Reads events.k8s.io/v1 too. Raises TranslationError when it is no object, or names no pod.
        """
        raw = _object(raw, "event")
        if change_type not in _PRESENT:
            return None
        involved = mapping(raw.get("involvedObject") or raw.get("regarding"))
        if short_text(involved.get("kind")) not in ("Pod", None):
            return None
        metadata = mapping(raw.get("metadata"))
        reference = ObjectReference(
            namespace=short_text(involved.get("namespace")) or short_text(metadata.get("namespace")) or "default",
            name=_name(involved, "involvedObject.name"),
            uid=short_text(involved.get("uid")),
            field_path=short_text(involved.get("fieldPath")),
            resource_version=short_text(involved.get("resourceVersion")),
        )
        event, texts = self._fitted(lambda texts: _event(raw, metadata, reference, texts), None)
        return EventObservation(
            schema_version=SCHEMA_VERSION,
            id=self._id(event.uid, event.resource_version, event, short_text(metadata.get("name"))),
            cluster=self.cluster,
            observed_at=observed_at,
            redaction=_redaction(texts),
            truncated=texts.truncated,
            event=event,
        )

    def pod(self, raw: Any, observed_at: str) -> PodObservation:  # noqa: ANN401 - raw JSON
        """A pod's projection. Raises TranslationError when it is no object, or has no name."""
        pod, texts = self._pod(raw)
        return PodObservation(
            schema_version=SCHEMA_VERSION,
            id=self._id(pod.uid, pod.resource_version, pod, pod.name),
            cluster=self.cluster,
            observed_at=observed_at,
            redaction=_redaction(texts),
            truncated=texts.truncated,
            pod=pod,
        )

    def pod_deleted(
        self,
        raw: Any,  # noqa: ANN401 - raw JSON
        observed_at: str,
        *,
        inferred: bool = False,
        relist_resource_version: str | None = None,
    ) -> PodDeletedObservation:
        """A pod's last state. ``inferred``: a relist, whose version is then in the id, lacks it. Raises as ``pod``."""
        pod, texts = self._pod(raw)
        return PodDeletedObservation(
            schema_version=SCHEMA_VERSION,
            id=self._id(pod.uid, relist_resource_version or pod.resource_version, pod, pod.name),
            cluster=self.cluster,
            observed_at=observed_at,
            redaction=_redaction(texts),
            truncated=texts.truncated,
            pod=pod,
            inferred=inferred,
        )

    def log(
        self,
        *,
        namespace: str,
        pod_name: str,
        container: str,
        text: str | None,
        observed_at: str,
        pod_uid: str | None = None,
        container_id: str | None = None,
        restart_count: int | None = None,
    ) -> LogObservation | None:
        """The last lines of a terminated container; None when there is no log, or an apology of the API server in its place."""
        if text is None or text.startswith(_NO_LOGS):
            return None
        log, texts = self._fitted(
            lambda texts: Log(
                namespace=namespace,
                pod_name=pod_name,
                pod_uid=pod_uid,
                container=container,
                container_id=container_id,
                restart_count=restart_count,
                text=texts.log(text),
            ),
            None,
        )
        return LogObservation(
            schema_version=SCHEMA_VERSION,
            id=self._id(pod_uid, container_id, log, f"{namespace}/{pod_name}/{container}"),
            cluster=self.cluster,
            observed_at=observed_at,
            redaction=_redaction(texts),
            truncated=texts.truncated,
            log=log,
        )

    def clock(self, time: str, resource: str = "all") -> ClockObservation:
        """The watches of ``resource`` are complete up to ``time`` (the records' form)."""
        return ClockObservation(
            schema_version=SCHEMA_VERSION,
            id=f"{self.cluster.uid}/{resource}/{time}",
            cluster=self.cluster,
            observed_at=time,
            clock=Clock(resource=resource, time=time),
        )

    def gap(self, resource: str, from_: str, to: str, reason: str | None = None) -> GapObservation:
        """What happened to ``resource`` between the two times could not be seen."""
        return GapObservation(
            schema_version=SCHEMA_VERSION,
            id=f"{self.cluster.uid}/{resource}/{from_}",
            cluster=self.cluster,
            observed_at=to,
            gap=Gap(resource=resource, from_=from_, to=to, reason=reason),
        )

    def _pod(self, raw: object) -> tuple[Pod, Texts]:
        checked = _object(raw, "pod")
        metadata = mapping(checked.get("metadata"))
        name = _name(metadata, "metadata.name")
        namespace = short_text(metadata.get("namespace")) or "default"
        return self._fitted(lambda texts: project(checked, namespace, name, texts, self._settings.labels), _reduced)

    def _fitted(self, build: Callable[[Texts], _Body], reduced: Callable[[_Body, int], _Body] | None) -> tuple[_Body, Texts]:
        """The body within the record's limit: texts are cut first, then parts are left out."""
        limit = RECORD_MAX_BYTES - 2048  # room for what every observation carries besides its body
        memo: Memo = {}
        for cap in _CAPS:
            texts = Texts(self._settings, cap, memo)
            body = build(texts)
            if len(encode(body)) <= limit:
                return body, texts
        texts = Texts(self._settings, _LAST_CAP, memo)
        body = build(texts)
        texts.truncated = True
        return (body if reduced is None else reduced(body, limit)), texts

    def _id(self, uid: str | None, version: str | None, body: msgspec.Struct, name: str | None) -> str:
        """The contract's id. In partial data a hash of the content stands for what is missing: repeats agree, others differ."""
        if uid is None:
            uid = f"name-{_digest((name or '').encode())}"
        if version is None or uid.startswith("name-"):
            version = f"{version or ''}content-{_digest(encode(body))}"
        return f"{self.cluster.uid}/{uid}/{version}"


def _event(raw: Raw, metadata: Raw, reference: ObjectReference, texts: Texts) -> Event:
    series = mapping(raw.get("series"))
    series_count = positive(series.get("count"))
    source = mapping(raw.get("source") or raw.get("deprecatedSource"))
    component = short_text(source.get("component")) or short_text(
        raw.get("reportingComponent") or raw.get("reportingController")
    )
    return Event(
        reason=short_text(raw.get("reason")) or "",
        type=short_text(raw.get("type")) or "",
        message=texts.message(raw.get("message") or raw.get("note")) or "",
        involved_object=reference,
        uid=short_text(metadata.get("uid")),
        resource_version=short_text(metadata.get("resourceVersion")),
        count=positive(raw.get("count") or raw.get("deprecatedCount")),
        series=None
        if series_count is None
        else EventSeries(count=series_count, last_observed_at=timestamp(series.get("lastObservedTime"))),
        first_at=timestamp(raw.get("firstTimestamp") or raw.get("deprecatedFirstTimestamp")),
        last_at=timestamp(raw.get("lastTimestamp") or raw.get("deprecatedLastTimestamp")),
        event_at=timestamp(raw.get("eventTime")),
        created_at=timestamp(metadata.get("creationTimestamp")),
        source_component=component,
        source_host=short_text(source.get("host"))
        or (short_text(raw.get("reportingInstance")) if component == "kubelet" else None),
    )


def _object(raw: object, what: str) -> Raw:
    if not isinstance(raw, dict):
        raise TranslationError(what, f"an object is needed, not {type(raw).__name__}")
    return raw


def _name(raw: Raw, field: str) -> str:
    name = short_text(raw.get("name"))
    if name is None:
        raise TranslationError(field, "a name is needed")
    return name


def _redaction(texts: Texts) -> Redaction | None:
    return Redaction(count=texts.redacted) if texts.redacted else None


def _reduced(pod: Pod, limit: int) -> Pod:
    """The pod without definitions and with ever fewer containers: no real pod comes here, so which are left matters little."""
    containers = tuple(
        msgspec.structs.replace(one, command=(), ports=(), liveness=None, readiness=None, startup=None)
        for one in pod.containers
    )
    pod = msgspec.structs.replace(pod, containers=containers, conditions=(), labels={})
    while len(pod.containers) > 1 and len(encode(pod)) > limit:
        pod = msgspec.structs.replace(pod, containers=pod.containers[: len(pod.containers) // 2])
    return pod


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
