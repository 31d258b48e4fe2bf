"""A Kafka in memory that can die between any two sends, and an engine that counts what is applied."""

import asyncio
import sys
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from types import ModuleType

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from processor.app.committing import RecordTooLargeError
from processor.app.processing import Processing
from processor.app.records import Headers, OutgoingRecord, SourceRecord
from processor.app.settings import ProcessorSettings
from processor.engine import HistoryStore
from processor.settings import CorrelationSettings
from schemas import diagnosis as d
from schemas.codec import encode
from schemas.observation import (
    SCHEMA_VERSION,
    Clock,
    ClockObservation,
    Cluster,
    Event,
    EventObservation,
    ObjectReference,
    Observation,
)

AT = "2026-11-22T10:00:00.000Z"
CLUSTER = Cluster(name="kind", uid="cluster-uid")


class CountingEngine:
    """Revision n of a pod's diagnosis after its n-th observation; a clock brings a revision about for every pod that was seen."""

    def __init__(self, store: HistoryStore, _settings: CorrelationSettings) -> None:
        self._store = store
        self._pods = {key for key, _ in store.items() if key.startswith("pod:")}

    def feed(self, observation: Observation) -> list[d.Diagnosis]:
        if isinstance(observation, ClockObservation):
            return [self._count(key, observation.id) for key in sorted(self._pods)]
        assert isinstance(observation, EventObservation)
        name = observation.event.involved_object.name
        if observation.event.reason == "Gone":
            self._pods.discard(f"pod:{name}")
            self._store.delete(f"pod:{name}")
            return []
        self._pods.add(f"pod:{name}")
        counted = self._count(f"pod:{name}", observation.id)
        if observation.event.reason == "Bug":
            raise ZeroDivisionError("a bug in the engine")
        return [counted]

    def _count(self, key: str, source_id: str) -> d.Diagnosis:
        revision = int(self._store.get(key) or b"0") + 1
        self._store.put(key, str(revision).encode())
        return make_diagnosis(key.removeprefix("pod:"), revision, source_id)


def make_diagnosis(pod: str = "cart", revision: int = 1, source_id: str = "cart/1") -> d.Diagnosis:
    return d.Diagnosis(
        timestamp=AT,
        schema_version="1.0.0",
        message=f"after {source_id}",
        severity="error",
        severity_number=17,
        diagnosis=d.DiagnosisBody(
            id=f"id-{pod}",
            fingerprint="f" * 32,
            revision=revision,
            state="opened" if revision == 1 else "updated",
            problem="container_restarts",
            cause=d.Cause(id="unknown", confidence=0.1, summary="counted"),
            opened_at=AT,
            first_observed_at=AT,
            last_observed_at=AT,
            occurrences=revision,
            window_seconds=1200,
        ),
        rule=d.Rule(id="count", version="1"),
        k8s=d.K8s(
            cluster=d.K8sCluster(name=CLUSTER.name, uid=CLUSTER.uid),
            namespace=d.K8sName(name="shop"),
            pod=d.K8sPod(name=pod),
            workload=d.K8sWorkload(kind="Pod", name=pod),
        ),
        producer=d.Producer(name="test", version="0"),
    )


def event_bytes(pod: str, number: int = 1, reason: str = "BackOff") -> bytes:
    event = Event(reason=reason, involved_object=ObjectReference(namespace="shop", name=pod))
    return encode(
        EventObservation(schema_version=SCHEMA_VERSION, id=f"{pod}/{number}", cluster=CLUSTER, observed_at=AT, event=event)
    )


def clock_bytes(number: int) -> bytes:
    clock = Clock(resource="pods", time=AT)
    return encode(
        ClockObservation(schema_version=SCHEMA_VERSION, id=f"clock/{number}", cluster=CLUSTER, observed_at=AT, clock=clock)
    )


class Killed(BaseException):
    """kill -9."""


@dataclass
class FakeKafka:
    """What survives a worker: the logs. ``dies_after`` counts the records that still reach a log before the worker is killed."""

    logs: dict[str, list[tuple[int | None, bytes | None, bytes | None, Headers]]] = field(default_factory=dict)
    dies_after: int | None = None
    refuses_over: int = 1_000_000

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, *, partition: int | None = None, headers: Headers = ()
    ) -> Awaitable[int]:
        if len(value or b"") > self.refuses_over:
            raise RecordTooLargeError("too large")
        if self.dies_after is not None:
            if self.dies_after == 0:
                raise Killed
            self.dies_after -= 1
        log = self.logs.setdefault(topic, [])
        log.append((partition, key, value, headers))
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_result(len(log) - 1)
        return done

    def records(self, topic: str) -> list[OutgoingRecord]:
        return [OutgoingRecord(topic, key, value, headers) for _, key, value, headers in self.logs.get(topic, [])]


class FakeTable:
    """A table on one machine, read from the changelog when its worker starts."""

    changelog = "changelog"

    def __init__(self, kafka: FakeKafka) -> None:
        self.values: dict[tuple[int, bytes], bytes] = {}
        for partition, key, value, _ in kafka.logs.get(self.changelog, []):
            assert partition is not None
            assert key is not None
            self.write(partition, key, value)

    def read(self, partition: int, key: bytes) -> bytes | None:
        return self.values.get((partition, key))

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.values.pop((partition, key), None)
        else:
            self.values[partition, key] = value

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for (found, key), value in list(self.values.items()):
            if found == partition and key.startswith(prefix):
                yield key, value

    def logged_up_to(self, partition: int, offset: int) -> None:
        pass


@dataclass
class FakeReader:
    """Remembers how reading was steered."""

    paused: list[int] = field(default_factory=list)
    read_on_at: list[tuple[int, int]] = field(default_factory=list)

    def pause(self, partition: int) -> None:
        self.paused.append(partition)

    async def read_on(self, partition: int, offset: int) -> None:
        self.read_on_at.append((partition, offset))


@dataclass
class Worker:
    """One life of a worker over a Kafka: recovered, and reading where its state says."""

    kafka: FakeKafka
    source: list[bytes | None]
    settings: ProcessorSettings = field(default_factory=ProcessorSettings)
    acknowledged: list[int] = field(default_factory=list)
    reader: FakeReader = field(default_factory=FakeReader)

    async def start(self) -> Processing:
        processing = Processing(self.settings, FakeTable(self.kafka), self.kafka, CountingEngine, reader=self.reader)
        assert await processing.recover({0: len(self.source)}, still_ours=lambda: True)
        return processing

    async def run(self, *, batch: int = 3) -> Processing:
        """Process to the end of the source; ``batch`` records are waiting at a time."""
        processing = await self.start()
        for offset in range(processing.positions[0], len(self.source)):
            more = (offset + 1) % batch != 0 and offset + 1 < len(self.source)
            await processing.handle(
                source_record(self.source[offset], offset), lambda at=offset: self.acknowledged.append(at), more=more
            )
        return processing


def source_record(value: bytes | None, offset: int) -> SourceRecord:
    return SourceRecord("observations", 0, offset, b"key", value, (("h", b"1"),))


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """What is logged, instead of on the terminal."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def kit() -> ModuleType:
    """This module: test modules cannot import one another."""
    return sys.modules[__name__]
