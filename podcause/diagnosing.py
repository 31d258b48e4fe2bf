"""The same engine as the processor's, without Kafka: what `podcause diagnose` and `podcause accuracy` run.

It joins collector and processor and counts what went through. It must not read files itself, print, or decide anything.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from collector.replaying import replay_lines
from collector.translating import TranslationError, Translator
from podcause.objects import ObjectError, RawObject
from processor.engine import Engine, MemoryStore, diagnose_moment
from processor.settings import CorrelationSettings
from schemas.diagnosis import Diagnosis
from schemas.observation import (
    Cluster,
    EventObservation,
    Observation,
    PodDeletedObservation,
    PodObservation,
)
from schemas.timestamps import parse_ms

OFFLINE: Final = "offline"

#: Namespace, name, UID where it is known.
PodIdentity = tuple[str, str, str | None]


@dataclass(slots=True)
class Tally:
    """What went through: pods (with their workload) and events by identity, not by how often each was seen; pods deleted."""

    workloads: dict[PodIdentity, str] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    deleted: set[PodIdentity] = field(default_factory=set)
    clusters: dict[str, Cluster] = field(default_factory=dict)

    def count(self, observation: Observation) -> None:
        """Count one observation."""
        self.clusters[observation.cluster.uid] = observation.cluster
        if isinstance(observation, PodObservation | PodDeletedObservation):
            pod = observation.pod
            workload = f"{pod.owner.kind.lower()}/{pod.owner.name}" if pod.owner else f"pod/{pod.name}"
            self.workloads[pod.namespace, pod.name, pod.uid] = workload
            if isinstance(observation, PodDeletedObservation):
                self.deleted.add((pod.namespace, pod.name, pod.uid))
        elif isinstance(observation, EventObservation):
            self.events.add(observation.event.uid or observation.id)


def diagnose_recordings(
    sources: Sequence[tuple[str, Iterable[bytes]]],
    tally: Tally,
    *,
    cluster_name: str | None = None,
    now: str | None = None,
    settings: CorrelationSettings | None = None,
) -> Iterator[Diagnosis]:
    """Every revision that the recordings bring about, in order, as the processor would publish them. Raises RecordingError.

    ``sources``: what each recording is called in messages, and its lines. With ``now``, the recordings as they stood at that
    time: what was received later is not looked at, and when they end earlier their clusters' time goes on to it.
    """
    engine = Engine(MemoryStore(), settings)
    until = None if now is None else parse_ms(now)
    for observation in replay_lines(sources, cluster_name):
        if until is not None and parse_ms(observation.observed_at) > until:
            break
        tally.count(observation)
        yield from engine.feed(observation)
    if now is not None:
        for cluster in tally.clusters.values():
            yield from engine.feed(Translator(cluster).clock(now))


def diagnose_objects(
    objects: Iterable[RawObject],
    tally: Tally,
    *,
    now: str,
    cluster_name: str | None = None,
    settings: CorrelationSettings | None = None,
) -> list[Diagnosis]:
    """What is wrong in one moment's objects. Raises ObjectError."""
    translator = Translator(Cluster(name=cluster_name or OFFLINE, uid=OFFLINE))
    observations: list[Observation] = []
    objects = _of_living_pods(list(objects))
    for item in objects:
        try:
            translated = translator.event(item.body, now) if item.kind == "Event" else translator.pod(item.body, now)
        except TranslationError as error:
            raise ObjectError(f"{item.where}{error}") from error
        if translated is not None:
            tally.count(translated)
            observations.append(translated)
    return diagnose_moment(observations, now, settings)


def _of_living_pods(objects: list[RawObject]) -> list[RawObject]:
    """Without events of pods that are gone: they outlive their pod by an hour, and where a namespace's pods are told, it is not among them."""
    pods: dict[str, set[str]] = {}
    for item in objects:
        if item.kind == "Pod":
            metadata = item.body["metadata"]
            pods.setdefault(metadata.get("namespace") or "default", set()).add(metadata["name"])
    living = []
    for item in objects:
        about = item.body.get("involvedObject") or item.body.get("regarding") or {}
        names = pods.get(about.get("namespace") or "default") if item.kind == "Event" else None
        if names is None or about.get("name") in names:
            living.append(item)
    return living
