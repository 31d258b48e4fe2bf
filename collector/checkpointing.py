"""Resume points on the compacted checkpoints topic: written only after Kafka has acknowledged all that came before them.

Per watch its resource version and the time up to which it was complete, under `<cluster>/<watch>`; and, in shards, which pods
were known, so that one which is gone after a long absence is told. It decides nothing about observations.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from collector.kafka_client import client_arguments
from collector.publishing import PublishError
from schemas.codec import RECORD_MAX_BYTES
from schemas.kafka_settings import KafkaSettings
from schemas.observation import Cluster
from schemas.topics import CHECKPOINTS

SCHEMA_VERSION: Final = "1.0.0"
_SHARDS: Final = 64
_SHARD_PREFIX: Final = "known-pods-"
_POLL_MS: Final = 500
_log: Final = structlog.get_logger(__name__)

#: Namespace, name and UID of a pod.
PodName = tuple[str, str, str]


class ClusterMismatchError(Exception):
    """Another cluster's resume point is stored under this name. A retry does not help: choose another name."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where one watch resumes. ``time`` (RFC 3339): everything before it was observed and acknowledged."""

    schema_version: str = SCHEMA_VERSION
    cluster: Cluster
    resource: str
    resource_version: str
    time: str


class _KnownPods(msgspec.Struct, frozen=True, kw_only=True):
    """One shard of the known pods, each as namespace/name/uid."""

    schema_version: str = SCHEMA_VERSION
    cluster: Cluster
    resource: str
    pods: list[str]


class _Head(msgspec.Struct, frozen=True):
    cluster: Cluster


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the last run left. ``other_clusters``: when the resume points of other clusters last moved (RFC 3339)."""

    positions: Mapping[str, Position] = field(default_factory=dict)
    known_pods: frozenset[PodName] = frozenset()
    other_clusters: Mapping[str, str] = field(default_factory=dict)


class Store(Protocol):
    """What of `collector.publishing.Publisher` is needed here."""

    @property
    def handed_over(self) -> int:
        """The number of the last thing that was handed over."""

    @property
    def acknowledged_through(self) -> int:
        """Everything up to this number is acknowledged."""

    def store(self, topic: str, key: str, value: bytes) -> None:
        """Hand over a record."""


def read_checkpoint(kafka: KafkaSettings, prefix: str, cluster: Cluster) -> Checkpoint:
    """Read the topic to its end. Raises PublishError, and ClusterMismatchError when the name belongs to another cluster."""
    topic = CHECKPOINTS.name(prefix)
    try:
        consumer = KafkaConsumer(enable_auto_commit=False, **client_arguments(kafka))
        try:
            records = _newest(consumer, topic)
        finally:
            consumer.close(autocommit=False)
    except KafkaError as error:
        raise PublishError(f"topic {topic}: {error}", retryable=True) from error
    return interpret(records, cluster)


def _newest(consumer: KafkaConsumer, topic: str) -> dict[str, bytes]:
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    newest: dict[str, bytes] = {}
    if not partitions:
        return newest
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    while any(consumer.position(at) < end for at, end in ends.items()):
        for batch in consumer.poll(timeout_ms=_POLL_MS).values():
            for record in batch:
                key = (record.key or b"").decode("utf-8", "replace")
                if record.value is None:
                    newest.pop(key, None)
                else:
                    newest[key] = record.value
    return newest


def interpret(records: Mapping[str, bytes], cluster: Cluster) -> Checkpoint:
    """What the newest record of each key means to this cluster. Raises ClusterMismatchError. Unreadable ones are left out."""
    positions: dict[str, Position] = {}
    known: set[PodName] = set()
    others: dict[str, str] = {}
    for key, value in records.items():
        try:
            stored = msgspec.json.decode(value, type=_Head).cluster
            name = key.removeprefix(f"{stored.name}/")
            if stored.name != cluster.name:
                if not name.startswith(_SHARD_PREFIX):
                    time = msgspec.json.decode(value, type=Position).time
                    others[stored.name] = max(others.get(stored.name, ""), time)
                continue
            if stored.uid != cluster.uid:
                raise ClusterMismatchError(
                    f"the name {cluster.name!r} belongs to the cluster with UID {stored.uid}, this one has {cluster.uid}: give "
                    f"each cluster a name of its own (--cluster), or delete the records {cluster.name}/* from the checkpoints topic"
                )
            if name.startswith(_SHARD_PREFIX):
                for pod in msgspec.json.decode(value, type=_KnownPods).pods:
                    namespace, pod_name, uid = pod.split("/", 2)
                    known.add((namespace, pod_name, uid))
            else:
                positions[name] = msgspec.json.decode(value, type=Position)
        except (msgspec.MsgspecError, ValueError) as error:
            _log.warning("checkpoint_unreadable", key=key, reason=str(error))
    return Checkpoint(positions, frozenset(known), others)


class CheckpointWriter:
    """Writes a checkpoint in steps: first all before it must be acknowledged, then the shards, then the positions."""

    def __init__(self, store: Store, prefix: str, cluster: Cluster, found: Checkpoint) -> None:
        self._store = store
        self._topic = CHECKPOINTS.name(prefix)
        self._cluster = cluster
        self._written: dict[str, int] = {}
        self._positions = dict(found.positions)
        self._barrier: int | None = None
        self._shards: dict[str, bytes] = {}
        self._next: dict[str, Position] = {}
        for name, value in self._encoded(found.known_pods).items():
            self._written[name] = zlib.crc32(value)

    @property
    def idle(self) -> bool:
        """Whether no checkpoint is on its way."""
        return self._barrier is None

    def begin(self, positions: Iterable[Position], known_pods: Iterable[PodName] | None) -> None:
        """Everything up to these positions has been handed over. ``known_pods`` None: as before."""
        self._next = {one.resource: one for one in positions if self._positions.get(one.resource) != one}
        if known_pods is not None:
            self._shards = {
                name: value for name, value in self._encoded(known_pods).items() if self._written.get(name) != zlib.crc32(value)
            }
        self._barrier = self._store.handed_over if self._next or self._shards else None

    def step(self) -> bool:
        """Go on as far as acknowledgements allow; True when a checkpoint has now been handed over. Raises PublishError."""
        while self._barrier is not None and self._store.acknowledged_through >= self._barrier:
            if self._shards:
                for name, value in self._shards.items():
                    self._store.store(self._topic, f"{self._cluster.name}/{name}", value)
                    self._written[name] = zlib.crc32(value)
                self._shards = {}
                self._barrier = self._store.handed_over
                continue
            for name, position in self._next.items():
                self._store.store(self._topic, f"{self._cluster.name}/{name}", msgspec.json.encode(position))
            self._positions |= self._next
            self._next, self._barrier = {}, None
            return True
        return False

    def _encoded(self, pods: Iterable[PodName]) -> dict[str, bytes]:
        shards: list[list[str]] = [[] for _ in range(_SHARDS)]
        for namespace, name, uid in pods:
            shards[zlib.crc32(uid.encode()) % _SHARDS].append(f"{namespace}/{name}/{uid}")
        encoded = {}
        for number, shard in enumerate(shards):
            name = f"{_SHARD_PREFIX}{number:02}"
            shard.sort()
            value = self._shard(name, shard)
            while len(value) > RECORD_MAX_BYTES:
                _log.warning("too_many_pods_to_remember", shard=number, pods=len(shard))
                shard = shard[: len(shard) * RECORD_MAX_BYTES // len(value) - 1]  # noqa: PLW2901 - what of it fits
                value = self._shard(name, shard)
            encoded[name] = value
        return encoded

    def _shard(self, name: str, pods: list[str]) -> bytes:
        return msgspec.json.encode(_KnownPods(cluster=self._cluster, resource=name, pods=pods))
