"""Publishing on a real broker: partitions as Java would choose them, clocks everywhere, acknowledgements counted, failures told."""

import socket
import subprocess
import sys
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from collector.cloudevents import message_headers
from collector.publishing import Publisher, PublishError, ensure_topics
from collector.replaying import replay
from collector.translating import Translator
from podcause.embedded.broker import EmbeddedKafka
from schemas.codec import decode_observation
from schemas.kafka_settings import KafkaSettings
from schemas.observation import ClockObservation, Cluster, Observation

pytestmark = pytest.mark.integration

PARTITIONS = 3
AT = "2026-01-01T00:00:00.000Z"
RECORDINGS = Path(__file__).parents[2] / "podcause" / "data" / "recordings"


@pytest.fixture
def kafka(kafka_broker: EmbeddedKafka) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=(kafka_broker.bootstrap_servers,))


@pytest.fixture
def prefix() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


def _messages(kafka: KafkaSettings, topic: str) -> dict[int, list[Any]]:
    """Everything on the topic, by partition, in order."""
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    found: dict[int, list[Any]] = defaultdict(list)
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for partition, records in consumer.poll(timeout_ms=500).items():
            found[partition.partition].extend(records)
    consumer.close()
    return found


def test_topics_are_created_with_the_contracts_settings_and_once(kafka: KafkaSettings, prefix: str) -> None:
    ensure_topics(kafka, prefix, PARTITIONS)
    ensure_topics(kafka, prefix, PARTITIONS + 1)
    topic = f"{prefix}.observations.v1"
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        (described,) = admin.describe_topics([topic])
        configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        admin.close()
    assert len(described["partitions"]) == PARTITIONS
    assert "86400000" in str(configs)


def test_missing_topics_are_named_when_they_may_not_be_created(kafka: KafkaSettings, prefix: str) -> None:
    with pytest.raises(PublishError, match=rf"topics are missing: {prefix}\.observations\.v1") as caught:
        ensure_topics(kafka, prefix, PARTITIONS, create=False)
    assert caught.value.retryable is False


def test_a_recording_arrives_whole_in_order_each_pod_in_one_partition_and_every_clock_in_all(
    kafka: KafkaSettings, prefix: str
) -> None:
    observations = list(replay([RECORDINGS / "rolling-update.jsonl.gz", RECORDINGS / "seed-exit-1.jsonl.gz"]))
    ensure_topics(kafka, prefix, PARTITIONS)
    with Publisher(kafka, prefix, max_unacknowledged=50) as publisher:
        for observation in observations:
            publisher.publish(observation)
    assert publisher.unacknowledged == 0
    assert sum(publisher.published.values()) == len(observations)

    arrived = _messages(kafka, f"{prefix}.observations.v1")
    home: dict[bytes, int] = {}
    for partition, messages in arrived.items():
        decoded = [decode_observation(message.value) for message in messages]
        expected = [one for one in observations if isinstance(one, ClockObservation) or _key(one) in {m.key for m in messages}]
        assert decoded == expected
        for message, observation in zip(messages, decoded, strict=True):
            assert list(message.headers) == message_headers(observation)
            if not isinstance(observation, ClockObservation):
                assert home.setdefault(message.key, partition) == partition
    assert sorted(arrived) == list(range(PARTITIONS))


def _key(observation: Observation) -> bytes:
    return dict(message_headers(observation))["ce_partitionkey"]


def test_partitions_are_those_that_java_clients_choose(kafka: KafkaSettings, prefix: str) -> None:
    ensure_topics(kafka, prefix, PARTITIONS)
    translator = Translator(Cluster(name="east", uid="c"))
    names = [f"web-{number}" for number in range(12)]
    with Publisher(kafka, prefix) as publisher:
        for name in names:
            publisher.publish(translator.pod({"metadata": {"name": name, "namespace": "shop"}}, AT))
    arrived = {
        message.key.decode(): partition
        for partition, messages in _messages(kafka, f"{prefix}.observations.v1").items()
        for message in messages
    }
    assert arrived == {f"east/shop/{name}": _java_partition(f"east/shop/{name}".encode()) for name in names}


def _java_partition(key: bytes) -> int:
    """org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey, written out once more."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(key)) & mask
    for start in range(0, len(key) // 4 * 4, 4):
        k = int.from_bytes(key[start : start + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    rest = key[len(key) // 4 * 4 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    h ^= h >> 15
    return (h & 0x7FFFFFFF) % PARTITIONS


def test_a_topic_that_is_not_there_is_told(kafka: KafkaSettings, prefix: str) -> None:
    with pytest.raises(PublishError, match=rf"^topic {prefix}\.observations\.v1 does not exist, or Kafka is away$"):
        Publisher(kafka, prefix, timeout_seconds=2)


_NO_BROKER = """
import sys
from collector import publishing
from schemas.kafka_settings import KafkaSettings

publishing._BOOTSTRAP_TIMEOUT_MS = 500
try:
    publishing.ensure_topics(KafkaSettings(bootstrap_servers=(sys.argv[1],)), "t", 1)
except publishing.PublishError as error:
    print(error.retryable, error)
"""


def test_no_broker_is_told_and_a_retry_may_help(free_address: str) -> None:
    # In a process of its own: kafka-python 3.0 leaves sockets open when it finds no broker.
    done = subprocess.run(
        [sys.executable, "-c", _NO_BROKER, free_address], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith(f"True Kafka at {free_address}: ")


@pytest.fixture
def free_address() -> str:
    """An address of this machine where nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"
