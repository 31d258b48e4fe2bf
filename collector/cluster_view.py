"""What is known of one living cluster, and which observations a change of it means. No client, no thread, no clock.

Pods are kept small: a hash of what was told and, packed, their last state. It must not publish, and does not know how changes
arrive: lists and watches are told apart by the in-band items alone.
"""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

import msgspec

from collector.checkpointing import PodName
from collector.raw_values import mapping, mappings, short_text, timestamp
from collector.significance import LastPublished
from collector.translating import Translator
from schemas.codec import encode
from schemas.observation import SCHEMA_VERSION, Observation, Pod, PodDeletedObservation, PodObservation, Workload
from schemas.timestamps import parse_ms

_IGNORE: Final = "podcause.io/ignore"
_IGNORED_DEAD_MAX: Final = 10_000
#: An event in a list that was last written so long before the resume point has been published: node clocks and writes may lag.
_WRITES_LAG_MS: Final = 600_000
_pods: Final = msgspec.json.Decoder(Pod)


class _Known:
    """A pod: its feed, name, and what was told of it. ``packed`` None: known from the last run only."""

    __slots__ = ("feed", "name", "namespace", "packed", "told")

    def __init__(self, feed: str, namespace: str, name: str, told: int, packed: bytes | None) -> None:
        self.feed, self.namespace, self.name, self.told, self.packed = feed, namespace, name, told, packed


class ClusterView:
    """One cluster's. Raw objects go in, the observations that must be published come out, in order."""

    def __init__(
        self,
        translator: Translator,
        *,
        excluded_namespaces: Collection[str] = (),
        resumed_at_ms: int | None = None,
        owner: Callable[[Pod], Workload | None] = lambda pod: pod.owner,
    ) -> None:
        self._translator = translator
        self._excluded = frozenset(excluded_namespaces)
        self._events_since_ms = None if resumed_at_ms is None else resumed_at_ms - _WRITES_LAG_MS
        self._owner = owner
        self._pods: dict[str, _Known] = {}
        self._names: dict[tuple[str, str], str | None] = {}
        self._ignored_dead: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._told_events = LastPublished()
        self._events: dict[str, set[str]] = {}
        self._listed: dict[str, set[str]] = {}
        self.membership = 0
        """Changes whenever the set of known pods does."""

    def remember(self, feed: str, pods: Iterable[PodName]) -> None:
        """Pods that the last run knew: if the first list lacks them, they are gone."""
        for namespace, name, uid in pods:
            self._pods[uid] = _Known(feed, namespace, name, 0, None)

    def known_pods(self) -> Iterator[PodName]:
        """The pods whose disappearance must be told."""
        for uid, known in self._pods.items():
            yield known.namespace, known.name, uid

    def knows(self, namespace: str, name: str) -> bool:
        """Whether such a pod was seen, ignored ones included."""
        return (namespace, name) in self._names or (namespace, name) in self._ignored_dead

    def list_started(self, feed: str) -> None:
        """A list begins, or begins again."""
        self._listed[feed] = set()

    def pods_listed(
        self, feed: str, resource_version: str, observed_at: str, *, known: bool = False
    ) -> list[PodDeletedObservation]:
        """A list of pods is through: those that it lacks are gone.

        ``known``: it was the list of what the last run knew; what that lacks was created later, and the watch brings it.
        """
        seen = self._listed.pop(feed, set())
        if known:
            return []
        gone = [uid for uid, one in self._pods.items() if one.feed == feed and uid not in seen]
        return [self._inferred(uid, resource_version, observed_at) for uid in gone]

    def events_listed(self, feed: str) -> None:
        """A list of events is through: those that it lacks have expired."""
        seen = self._listed.pop(feed, set())
        for uid in self._events.get(feed, set()) - seen:
            self._told_events.forget_event(uid)
        self._events[feed] = seen

    def pod(
        self,
        feed: str,
        kind: str,
        raw: Any,  # noqa: ANN401 - raw JSON
        observed_at: str,
        *,
        known: bool = False,
    ) -> tuple[PodObservation, bool] | None:
        """A pod is there: its observation, and whether that is news; None when the pod is kept out.

        ``known``: this state was told already. Raises TranslationError.
        """
        metadata = mapping(mapping(raw).get("metadata"))
        observation = self._translator.pod(raw, observed_at)
        pod = observation.pod
        name, uid = (pod.namespace, pod.name), pod.uid or f"{pod.namespace}/{pod.name}"
        if kind == "LISTED" and feed in self._listed:
            self._listed[feed].add(uid)
        if self._is_ignored(metadata, pod.namespace):
            self._names[name] = None
            if self._pods.pop(uid, None) is not None:
                self.membership += 1
            return None
        owner = self._owner(pod)
        if owner != pod.owner:
            pod = msgspec.structs.replace(pod, owner=owner)
            observation = msgspec.structs.replace(observation, pod=pod)
        told = hash(encode(msgspec.structs.replace(pod, resource_version=None)))
        before = self._pods.get(uid)
        self._pods[uid] = _Known(feed, pod.namespace, pod.name, told, zlib.compress(encode(pod), 1))
        self._names[name] = uid
        if before is None:
            self.membership += 1
        told_before = known or (before is not None and before.packed is not None and before.told == told)
        return observation, not told_before

    def pod_deleted(self, raw: Any, observed_at: str) -> PodDeletedObservation | None:  # noqa: ANN401 - raw JSON
        """The watch told that a pod is gone. Raises TranslationError."""
        observation = self._translator.pod_deleted(raw, observed_at)
        pod = observation.pod
        uid = pod.uid or f"{pod.namespace}/{pod.name}"
        if self._is_ignored(mapping(mapping(raw).get("metadata")), pod.namespace):
            self._ignored_dead[pod.namespace, pod.name] = None
            while len(self._ignored_dead) > _IGNORED_DEAD_MAX:
                self._ignored_dead.popitem(last=False)
            self._names.pop((pod.namespace, pod.name), None)
            return None
        self._forget(uid, pod.namespace, pod.name)
        owner = self._owner(pod)
        return msgspec.structs.replace(observation, pod=msgspec.structs.replace(pod, owner=owner))

    def event(self, feed: str, kind: str, raw: Any, observed_at: str) -> Observation | None:  # noqa: ANN401 - raw JSON
        """An event was written, or (DELETED) has expired. Raises TranslationError."""
        metadata = mapping(mapping(raw).get("metadata"))
        uid = short_text(metadata.get("uid"))
        if kind == "DELETED":
            self._told_events.forget_event(uid)
            self._events.get(feed, set()).discard(uid or "")
            return None
        observation = self._translator.event(raw, observed_at)
        if observation is None:
            return None
        involved = observation.event.involved_object
        name = (involved.namespace, involved.name)
        if involved.namespace in self._excluded or self._names.get(name, "") is None or name in self._ignored_dead:
            return None
        if uid is not None:
            self._events.setdefault(feed, set()).add(uid)
            if kind == "LISTED" and feed in self._listed:
                self._listed[feed].add(uid)
        news = self._told_events.is_news(observation.event)
        if kind == "LISTED" and self._events_since_ms is not None and _written_ms(raw) < self._events_since_ms:
            return None
        return observation if news else None

    def last_state(self, uid: str) -> Pod | None:
        """The pod as it was last told."""
        known = self._pods.get(uid)
        return None if known is None or known.packed is None else _pods.decode(zlib.decompress(known.packed))

    def _inferred(self, uid: str, resource_version: str, observed_at: str) -> PodDeletedObservation:
        known = self._pods[uid]
        pod = self.last_state(uid) or Pod(namespace=known.namespace, name=known.name, uid=uid)
        self._forget(uid, known.namespace, known.name)
        cluster = self._translator.cluster
        return PodDeletedObservation(
            schema_version=SCHEMA_VERSION,
            id=f"{cluster.uid}/{uid}/{resource_version}",
            cluster=cluster,
            observed_at=observed_at,
            pod=pod,
            inferred=True,
        )

    def _forget(self, uid: str, namespace: str, name: str) -> None:
        if self._pods.pop(uid, None) is not None:
            self.membership += 1
        if self._names.get((namespace, name), "") == uid:
            del self._names[namespace, name]

    def _is_ignored(self, metadata: Any, namespace: str) -> bool:  # noqa: ANN401 - raw JSON
        return namespace in self._excluded or mapping(metadata.get("annotations")).get(_IGNORE) == "true"


def _written_ms(raw: Any) -> int:  # noqa: ANN401 - raw JSON
    """When an event was last written, as far as its times tell: the newest of them."""
    metadata = mapping(raw.get("metadata"))
    times = [
        raw.get("lastTimestamp"),
        raw.get("eventTime"),
        mapping(raw.get("series")).get("lastObservedTime"),
        metadata.get("creationTimestamp"),
        *(field.get("time") for field in mappings(metadata.get("managedFields"))),
    ]
    return max((parse_ms(found) for time in times if (found := timestamp(time)) is not None), default=0)
