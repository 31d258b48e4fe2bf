"""Follows the diagnoses topic of a run, and knows when the processor has done everything that was published.

The one module of the command that uses the Kafka client. It must not change an offset or a topic, and must not decide anything.
"""

from types import TracebackType
from typing import Final, Self

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from collector.kafka_client import client_arguments
from schemas.codec import UndecodableRecordError, decode_diagnosis
from schemas.diagnosis import Diagnosis
from schemas.kafka_settings import KafkaSettings

_POLL_MS: Final = 100


class FollowingError(Exception):
    """Kafka can't be read, or holds what is no diagnosis. A retry may help."""


class DiagnosisFollower:
    """Reads a diagnoses topic from its beginning; a context manager. Every method raises FollowingError."""

    def __init__(self, kafka: KafkaSettings, *, diagnoses: str, observations: str, group: str) -> None:
        self._kafka = kafka
        self._diagnoses = diagnoses
        self._observations = observations
        self._group = group
        self._consumer: KafkaConsumer | None = None
        self._admin: KafkaAdminClient | None = None
        self._partitions: list[TopicPartition] = []

    def __enter__(self) -> Self:
        """Connect."""
        arguments = client_arguments(self._kafka)
        try:
            self._consumer = KafkaConsumer(enable_auto_commit=False, **arguments)
            self._admin = KafkaAdminClient(**arguments)
        except KafkaError as error:
            self.close()
            raise FollowingError(f"Kafka at {self._kafka.bootstrap}: {error}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Disconnect."""
        self.close()

    def close(self) -> None:
        """Disconnect; called twice it does nothing."""
        consumer, self._consumer = self._consumer, None
        admin, self._admin = self._admin, None
        if consumer is not None:
            consumer.close(autocommit=False)
        if admin is not None:
            admin.close()

    def read(self) -> list[tuple[Diagnosis, bytes]]:
        """What has arrived since the last call; waits a moment for something to arrive."""
        consumer = self._connected()
        found: list[tuple[Diagnosis, bytes]] = []
        try:
            if not self._partitions:
                self._partitions = self._partitions_of(self._diagnoses)
                consumer.assign(self._partitions)
                consumer.seek_to_beginning(*self._partitions)
            for records in consumer.poll(timeout_ms=_POLL_MS).values():
                found.extend((decode_diagnosis(record.value), record.value) for record in records)
        except (KafkaError, UndecodableRecordError) as error:
            raise FollowingError(f"topic {self._diagnoses}: {error}") from error
        return found

    def processed(self) -> bool:
        """Whether the processor has acknowledged everything that is in the observations topic now."""
        consumer = self._connected()
        if self._admin is None:
            return False
        try:
            ends = consumer.end_offsets(self._partitions_of(self._observations))
            committed = self._admin.list_group_offsets({self._group: list(ends)})[self._group]
        except KafkaError as error:
            raise FollowingError(f"group {self._group}: {error}") from error
        return all(end == 0 or (at in committed and committed[at].offset >= end) for at, end in ends.items())

    def drained(self) -> bool:
        """Whether everything that is in the diagnoses topic now has been read."""
        consumer = self._connected()
        try:
            ends = consumer.end_offsets(self._partitions)
            return all(consumer.position(at) >= end for at, end in ends.items())
        except KafkaError as error:
            raise FollowingError(f"topic {self._diagnoses}: {error}") from error

    def _partitions_of(self, topic: str) -> list[TopicPartition]:
        numbers = self._connected().partitions_for_topic(topic)
        if not numbers:
            raise FollowingError(f"topic {topic}: it does not exist")
        return [TopicPartition(topic, number) for number in sorted(numbers)]

    def _connected(self) -> KafkaConsumer:
        if self._consumer is None:
            raise FollowingError("not connected")
        return self._consumer
