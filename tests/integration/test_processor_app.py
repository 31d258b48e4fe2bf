"""The Faust app on a real broker: bytes in, diagnoses out with their headers, dead letters, and the same output whatever is killed.

The engine is a fake one that counts, so that every lost or repeated application shows. Run as a script, this file is a worker with it.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from podcause.embedded.broker import EmbeddedKafka
from processor.app.runner import RunOptions, run
from processor.app.settings import ProcessorSettings
from processor.engine import HistoryStore, MemoryStore
from processor.settings import CorrelationSettings
from schemas import diagnosis as d
from schemas.codec import decode_diagnosis, decode_observation, encode
from schemas.kafka_settings import KafkaSettings
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

pytestmark = pytest.mark.integration

AT = "2026-11-22T10:00:00.000Z"
CLUSTER = Cluster(name="kind", uid="cluster-uid")
PARTITIONS = 3

StartWorker = Callable[..., subprocess.Popen[bytes]]


class CountingEngine:
    """Revision n of a pod's diagnosis after its n-th observation; a clock brings a revision about for every pod that was seen."""

    def __init__(self, store: HistoryStore, _settings: CorrelationSettings) -> None:
        self._store = store
        self._pods = {key for key, _ in store.items() if key.startswith("pod:")}

    def feed(self, observation: Observation) -> list[d.Diagnosis]:
        if isinstance(observation, ClockObservation):
            self._store.put("clock", observation.clock.time.encode())
            return [self._count(key, observation.id) for key in sorted(self._pods)]
        assert isinstance(observation, EventObservation)
        name = observation.event.involved_object.name
        self._pods.add(f"pod:{name}")
        counted = self._count(f"pod:{name}", observation.id)
        if observation.event.reason == "Bug":
            raise ZeroDivisionError("a bug in the engine")
        return [counted]

    def _count(self, key: str, source_id: str) -> d.Diagnosis:
        revision = int(self._store.get(key) or b"0") + 1
        self._store.put(key, str(revision).encode())
        return _diagnosis(key.removeprefix("pod:"), revision, source_id)


def _diagnosis(pod: str, revision: int, source_id: str) -> d.Diagnosis:
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


def _event(pod: str, number: int, reason: str = "BackOff") -> EventObservation:
    event = Event(reason=reason, involved_object=ObjectReference(namespace="shop", name=pod))
    return EventObservation(schema_version=SCHEMA_VERSION, id=f"{pod}/{number}", cluster=CLUSTER, observed_at=AT, event=event)


def _clock(number: int) -> ClockObservation:
    return ClockObservation(
        schema_version=SCHEMA_VERSION,
        id=f"clock/{number}",
        cluster=CLUSTER,
        observed_at=AT,
        clock=Clock(resource="pods", time=AT),
    )


class Kafka:
    """What the tests do with the broker, by hand. Every test has topics of its own."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.settings = ProcessorSettings(topic_prefix=f"test-{uuid.uuid4().hex[:8]}", partitions=PARTITIONS)

    def create_observations_topic(self) -> None:
        async def create() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
            await admin.start()
            await admin.create_topics([NewTopic(self.settings.observations_topic, PARTITIONS, 1)])
            await admin.close()

        asyncio.run(create())

    def publish(self, records: Iterable[tuple[str, bytes | None, int | None, list[tuple[str, bytes]]]]) -> None:
        async def send() -> None:
            producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap_servers, enable_idempotence=True)
            await producer.start()
            topic = self.settings.observations_topic
            sent = [
                await producer.send(topic, value, key=key.encode(), partition=partition, headers=headers)
                for key, value, partition, headers in records
            ]
            await asyncio.gather(*sent)
            await producer.stop()

        asyncio.run(send())

    def read(self, topic: str) -> list[ConsumerRecord[bytes | None, bytes | None]]:
        """Everything in the topic now, partition by partition."""

        async def consume() -> list[ConsumerRecord[bytes | None, bytes | None]]:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self.bootstrap_servers, auto_offset_reset="earliest", enable_auto_commit=False
            )
            await consumer.start()
            try:
                parts = [TopicPartition(topic, number) for number in range(PARTITIONS)]
                consumer.assign(parts)
                ends = await consumer.end_offsets(parts)
                records = []
                for part in parts:
                    while await consumer.position(part) < ends[part]:
                        batch = await consumer.getmany(part, timeout_ms=1000)
                        records += [record for fetched in batch.values() for record in fetched]
                return records
            finally:
                await consumer.stop()

        return asyncio.run(consume())


@pytest.fixture
def kafka(kafka_broker: EmbeddedKafka) -> Kafka:
    return Kafka(kafka_broker.bootstrap_servers)


@pytest.fixture
def start_worker(kafka: Kafka, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts workers; none outlives its test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*, wait_ready: bool = True, instance_id: str | None = "one", **settings: object) -> subprocess.Popen[bytes]:
        ready = tmp_path / f"ready-{len(started)}"
        configuration = {
            "topic_prefix": kafka.settings.topic_prefix,
            "partitions": PARTITIONS,
            "instance_id": instance_id,
            **settings,
        }
        worker = subprocess.Popen(
            [sys.executable, __file__, kafka.bootstrap_servers, str(ready), json.dumps(configuration)], stdin=subprocess.PIPE
        )
        started.append(worker)
        if wait_ready:
            _until(lambda: ready.exists() or worker.poll() is not None, 60)
            assert worker.poll() is None, "the worker ended before it was ready"
        return worker

    yield start
    for worker in started:
        if worker.poll() is None:
            worker.kill()
        worker.wait()
        assert worker.stdin is not None
        worker.stdin.close()


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time given"
        time.sleep(0.02)


def _diagnoses(kafka: Kafka) -> list[tuple[str, int, bytes]]:
    decoded = [(decode_diagnosis(record.value), record.value) for record in kafka.read(kafka.settings.diagnoses_topic)]
    return [(found.diagnosis.id, found.diagnosis.revision, value) for found, value in decoded]


def _undisturbed(kafka: Kafka) -> set[tuple[str, int, bytes]]:
    """What the engine makes of the topic's partitions when nothing is in its way."""
    engines = {number: CountingEngine(MemoryStore(), CorrelationSettings()) for number in range(PARTITIONS)}
    found = set()
    for record in kafka.read(kafka.settings.observations_topic):
        for made in engines[record.partition].feed(decode_observation(record.value)):
            found.add((made.diagnosis.id, made.diagnosis.revision, encode(made)))
    return found


def test_a_diagnosis_reaches_its_pods_partition_with_its_cloudevents_headers(kafka: Kafka, start_worker: StartWorker) -> None:
    kafka.create_observations_topic()
    kafka.publish([("kind/shop/cart", encode(_event("cart", 1)), None, [])])
    worker = start_worker()
    _until(lambda: len(kafka.read(kafka.settings.diagnoses_topic)) == 1, 30)

    (record,) = kafka.read(kafka.settings.diagnoses_topic)
    (observation,) = kafka.read(kafka.settings.observations_topic)

    assert record.key == b"kind/shop/cart"
    assert record.partition == observation.partition
    assert record.value == encode(_diagnosis("cart", 1, "cart/1"))
    assert dict(record.headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"id-cart.1",
        "ce_source": b"/clusters/cluster-uid",
        "ce_type": b"io.podcause.diagnosis.opened.v1",
        "ce_time": AT.encode(),
        "ce_subject": b"shop/cart",
        "ce_dataschema": b"https://podcause.io/schemas/v1/diagnosis.json",
        "ce_partitionkey": b"kind/shop/cart",
    }
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0


def test_what_cannot_be_processed_goes_to_dead_letters_and_the_next_record_is_processed(
    kafka: Kafka, start_worker: StartWorker
) -> None:
    kafka.create_observations_topic()
    bug = encode(_event("cart", 2, reason="Bug"))
    kafka.publish(
        [
            ("kind/shop/cart", encode(_event("cart", 1)), 0, []),
            ("kind/shop/cart", b"\xffnot json", 0, [("h", b"1"), ("h", b"2")]),
            ("kind/shop/cart", None, 0, []),
            ("kind/shop/cart", bug, 0, []),
            ("kind/shop/cart", encode(_event("cart", 3)), 0, []),
        ]
    )
    start_worker()
    _until(lambda: len(_diagnoses(kafka)) == 2, 30)
    undecodable, null, buggy = kafka.read(kafka.settings.dead_letters_topic)

    # The record that met the bug left no trace in the state: the next revision is 2.
    assert [revision for _, revision, _ in _diagnoses(kafka)] == [1, 2]
    assert (undecodable.key, undecodable.value) == (b"kind/shop/cart", b"\xffnot json")
    assert undecodable.headers[:2] == (("h", b"1"), ("h", b"2"))
    assert _why(undecodable)["stage"] == b"decoding"
    assert (null.value, _why(null)["offset"]) == (None, b"2")
    assert buggy.value == bug
    assert _why(buggy) == {
        "topic": kafka.settings.observations_topic.encode(),
        "partition": b"0",
        "offset": b"3",
        "stage": b"correlation",
        "exception.class.name": b"builtins.ZeroDivisionError",
        "exception.message": b"a bug in the engine",
    }


def _why(record: ConsumerRecord[bytes | None, bytes | None]) -> dict[str, bytes]:
    prefix = "__connect.errors."
    return {name.removeprefix(prefix): value for name, value in record.headers if name.startswith(prefix)}


def test_killed_again_and_again_the_worker_sends_what_an_undisturbed_one_sends(kafka: Kafka, start_worker: StartWorker) -> None:
    kafka.create_observations_topic()
    _publish_load(kafka, observations=3000)
    wanted = _undisturbed(kafka)

    # Small batches: many commits to be killed in.
    for kill_at in (0.1, 0.3, 0.5, 0.7, 0.9):
        worker = start_worker(batch_max_records=7)
        _until(lambda at=kill_at: len(_diagnoses(kafka)) >= at * len(wanted), 60)
        worker.kill()
        worker.wait()
    worker = start_worker()
    _until(lambda: {(a, b) for a, b, _ in _diagnoses(kafka)} >= {(a, b) for a, b, _ in wanted}, 60)
    worker.send_signal(signal.SIGINT)

    assert worker.wait(30) == 130
    assert set(_diagnoses(kafka)) == wanted


def test_a_worker_that_takes_over_in_good_order_sends_nothing_again(kafka: Kafka, start_worker: StartWorker) -> None:
    kafka.create_observations_topic()
    _publish_load(kafka, observations=60)
    wanted = _undisturbed(kafka)
    worker = start_worker(instance_id=None)
    _until(lambda: len(_diagnoses(kafka)) == len(wanted), 30)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0

    start_worker(instance_id=None)
    kafka.publish([("kind/shop/late", encode(_event("late", 1)), 0, [])])
    _until(lambda: any(found == "id-late" for found, _, _ in _diagnoses(kafka)), 30)

    assert len(_diagnoses(kafka)) == len(wanted) + 1


def test_a_second_worker_joins_and_the_first_leaves_under_load(kafka: Kafka, start_worker: StartWorker) -> None:
    kafka.create_observations_topic()
    _publish_load(kafka, observations=3000)
    wanted = _undisturbed(kafka)
    first = start_worker(batch_max_records=7)
    _until(lambda: len(_diagnoses(kafka)) >= 0.2 * len(wanted), 60)
    start_worker(batch_max_records=7, instance_id="two")
    _until(lambda: len(_diagnoses(kafka)) >= 0.5 * len(wanted), 60)
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    _until(lambda: {(a, b) for a, b, _ in _diagnoses(kafka)} >= {(a, b) for a, b, _ in wanted}, 60)

    assert set(_diagnoses(kafka)) == wanted


def test_a_worker_whose_parent_dies_stops(kafka: Kafka, start_worker: StartWorker) -> None:
    kafka.create_observations_topic()
    worker = start_worker()
    assert worker.stdin is not None

    worker.stdin.close()

    assert worker.wait(30) == 0


def test_without_leave_to_create_topics_the_missing_ones_are_named(start_worker: StartWorker) -> None:
    worker = start_worker(wait_ready=False, create_topics=False)

    assert worker.wait(30) == 3


@pytest.mark.parametrize(("sent", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_the_command_runs_the_real_engine_until_it_is_told_to_stop(
    kafka: Kafka, tmp_path: Path, sent: signal.Signals, exit_code: int
) -> None:
    ready = tmp_path / "ready"
    options = [
        "--bootstrap-servers",
        kafka.bootstrap_servers,
        "--topic-prefix",
        kafka.settings.topic_prefix,
        "--ready-file",
        str(ready),
    ]
    worker = subprocess.Popen([sys.executable, "-m", "podcause", "process", *options], stderr=subprocess.PIPE)
    try:
        _until(lambda: ready.exists() or worker.poll() is not None, 60)
        worker.send_signal(sent)
        _, logged = worker.communicate(timeout=30)
    finally:
        worker.kill()

    assert worker.returncode == exit_code
    # aiokafka complains of its own while a fresh broker's group coordinator is not there yet.
    lines = [json.loads(line) for line in logged.decode().splitlines()]
    assert [line["event"] for line in lines if line["logger"].startswith("processor.")] == ["topic_created"] * 4 + [
        "partitions_ready",
        "processor_stopping",
    ]


def _publish_load(kafka: Kafka, *, observations: int) -> None:
    records: list[tuple[str, bytes | None, int | None, list[tuple[str, bytes]]]] = []
    for number in range(observations):
        pod = f"pod-{number % 20}"
        records.append((f"kind/shop/{pod}", encode(_event(pod, number)), None, []))
        if number % 50 == 0:
            records += [("kind", encode(_clock(number)), partition, []) for partition in range(PARTITIONS)]
    kafka.publish(records)


def _work(bootstrap_servers: str, ready_file: str, settings: str) -> int:
    from podcause.logging import configure_logging
    from processor.app.topics import TopicsError

    configure_logging(os.environ.get("TEST_LOG_LEVEL", "warning"))
    try:
        return run(
            ProcessorSettings(**json.loads(settings)),
            KafkaSettings(bootstrap_servers=(bootstrap_servers,)),
            RunOptions(ready_file=Path(ready_file), exit_with_parent=True),
            engine_factory=CountingEngine,
        )
    except TopicsError as error:
        print(error, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(_work(*sys.argv[1:]))
