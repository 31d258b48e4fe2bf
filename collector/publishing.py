"""Observations onto Kafka: acknowledged by all in-sync replicas, in order, and never more of them in flight than memory allows.

Beside `kafka_client` the one importer of the Kafka client. It must not translate, pace or decide what is worth publishing.
Partitions are chosen by kafka-python's default partitioner: murmur2 of the key, as Java clients do.
"""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

import structlog
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

from collector.cloudevents import goes_to_every_partition, kind, message_headers, message_key
from collector.kafka_client import client_arguments, connection_failure
from schemas.codec import encode
from schemas.kafka_failures import explain
from schemas.kafka_settings import KafkaSettings
from schemas.observation import Observation
from schemas.topics import OBSERVATIONS, Topic

_REPLICAS: Final = 3
_BOOTSTRAP_TIMEOUT_MS: Final = 15_000
_LAST_FLUSH_SECONDS: Final = 10.0
_REQUEST_TIMEOUT_MS: Final = 30_000
_METADATA_TIMEOUT_MS: Final = 15_000
_log: Final = structlog.get_logger(__name__)


class PublishError(Exception):
    """Kafka did not take an observation, or cannot be used; ``retryable`` says whether a retry may help."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


def ensure_topics(
    kafka: KafkaSettings,
    prefix: str,
    partitions: int,
    replication: int | None = None,
    *,
    create: bool = True,
    topics: tuple[Topic, ...] = (OBSERVATIONS,),
) -> None:
    """Create the topics that are missing, with the contract's settings; ``replication`` None means 3, or the number of brokers.

    Raises PublishError when Kafka cannot be reached, refuses, or a topic is missing and ``create`` is false.
    """
    with _connecting(kafka):
        admin = KafkaAdminClient(
            **client_arguments(kafka), client_id="podcause-collector", bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS
        )
        try:
            existing = set(admin.list_topics())
            missing = {topic.name(prefix): topic for topic in topics if topic.name(prefix) not in existing}
            if not missing:
                return
            if not create:
                raise PublishError(
                    f"topics are missing: {', '.join(sorted(missing))}; create them, or allow it", retryable=False
                )
            replicas = replication or min(_REPLICAS, len(admin.describe_cluster()["brokers"]))
            for name, topic in missing.items():
                _create(admin, name, topic, partitions, replicas)
        finally:
            admin.close()


@contextlib.contextmanager
def _connecting(kafka: KafkaSettings) -> Iterator[None]:
    """Raise PublishError for the client's errors, with the reason why no connection came about, which the client only logs."""
    with connection_failure() as failure:
        try:
            yield
        except KafkaError as error:
            retryable = bool(error.retriable) and not failure.refused
            raise PublishError(
                f"Kafka at {kafka.bootstrap}: {explain(kafka, failure) or error}", retryable=retryable
            ) from error


def _create(admin: Any, name: str, topic: Topic, partitions: int, replicas: int) -> None:  # noqa: ANN401 - untyped library
    wanted = {name: {"num_partitions": partitions, "replication_factor": replicas, "configs": topic.config()}}
    try:
        admin.create_topics(wanted, wait_for_metadata=True)
        _log.info("topic_created", topic=name, partitions=partitions, replicas=replicas)
    except TopicAlreadyExistsError:
        _log.info("topic_created_by_another", topic=name)
        admin.wait_for_topics([name])


class Publisher:
    """Publishes in order; ``publish`` waits while too many are unacknowledged. A context manager: leaving it flushes.

    An observation counts as published when every message of it is acknowledged. After the first failure everything raises: what
    follows must not overtake what was lost.
    """

    def __init__(
        self, kafka: KafkaSettings, prefix: str, *, max_unacknowledged: int = 5_000, timeout_seconds: float = 120.0
    ) -> None:
        self._topic = OBSERVATIONS.name(prefix)
        self._max_unacknowledged = max_unacknowledged
        self._timeout_seconds = timeout_seconds
        self._changed = threading.Condition()
        self._unacknowledged = 0
        self._published: Counter[str] = Counter()
        self._failure: BaseException | None = None
        timeout_ms = int(timeout_seconds * 1000)
        with _connecting(kafka):
            self._producer: Any = KafkaProducer(
                **client_arguments(kafka),
                client_id="podcause-collector",
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS,
                delivery_timeout_ms=timeout_ms,
                request_timeout_ms=min(_REQUEST_TIMEOUT_MS, timeout_ms // 2),
                linger_ms=5,
                batch_size=128 * 1024,
                max_block_ms=min(_METADATA_TIMEOUT_MS, timeout_ms),
            )
        try:
            partitions = self._known_partitions()
        except PublishError:
            self.close()
            raise
        _log.info("publisher_ready", topic=self._topic, partitions=len(partitions))

    def __enter__(self) -> Self:
        """Nothing to open: the producer is."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Flush and close. While another error is on its way, what Kafka does not take soon is given up and logged."""
        try:
            if error is None:
                self.flush()
            elif not isinstance(error, PublishError):
                self._flush_briefly()
        finally:
            self.close()

    @property
    def published(self) -> dict[str, int]:
        """How many observations Kafka has acknowledged, by kind."""
        with self._changed:
            return dict(self._published)

    @property
    def unacknowledged(self) -> int:
        """How many observations were handed over and are not acknowledged yet."""
        with self._changed:
            return self._unacknowledged

    def publish(self, observation: Observation) -> None:
        """Hand one over; waits while too many are unacknowledged. Raises PublishError, also for an earlier one that failed."""
        with self._changed:
            if not self._changed.wait_for(self._has_room, self._timeout_seconds):
                raise PublishError(f"{self._unacknowledged} observations unacknowledged for too long", retryable=True)
            self._raise_failure()
            self._unacknowledged += 1
        key, value, headers = message_key(observation).encode(), encode(observation), message_headers(observation)
        everywhere = goes_to_every_partition(observation)
        partitions = self._known_partitions() if everywhere else (None,)
        delivery = _Delivery(self, kind(observation), len(partitions))
        for partition in partitions:
            try:
                future = self._producer.send(self._topic, value=value, key=key, headers=headers, partition=partition)
            except (KafkaError, ValueError) as error:  # ValueError: the topic has gone
                delivery.failed(error)
                raise _publish_error(f"topic {self._topic}", error) from error
            future.add_callback(delivery.acknowledged)
            future.add_errback(delivery.failed)

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until everything is acknowledged, at most that long (else the publisher's time-out). Raises PublishError."""
        timeout = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        try:
            self._producer.flush(timeout=timeout)
        except KafkaError as error:
            raise _publish_error(f"topic {self._topic}", error) from error
        with self._changed:
            if not self._changed.wait_for(self._is_settled, timeout):
                raise PublishError(f"{self._unacknowledged} observations unacknowledged for too long", retryable=True)
            self._raise_failure()

    def _flush_briefly(self) -> None:
        try:
            self.flush(_LAST_FLUSH_SECONDS)
        except PublishError as error:
            _log.warning("observations_given_up", unacknowledged=self.unacknowledged, reason=str(error))

    def close(self) -> None:
        """Give up what is still unacknowledged, and the connections. To be called once more does nothing."""
        self._producer.close(timeout=0 if self._failure is not None else 5)

    def _known_partitions(self) -> tuple[int, ...]:
        """The topic's partitions, from the client's metadata, which it renews by itself."""
        try:
            partitions = self._producer.partitions_for(self._topic)
        except KafkaTimeoutError as error:
            raise PublishError(f"topic {self._topic} does not exist, or Kafka is away", retryable=True) from error
        except KafkaError as error:
            raise _publish_error(f"topic {self._topic}", error) from error
        return tuple(sorted(partitions))

    def _has_room(self) -> bool:
        return self._failure is not None or self._unacknowledged < self._max_unacknowledged

    def _is_settled(self) -> bool:
        return self._failure is not None or self._unacknowledged == 0

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise _publish_error(f"topic {self._topic}", self._failure) from self._failure

    def settle(self, observation_kind: str, failure: BaseException | None) -> None:
        """Called once per observation, in the producer's thread: all its messages are acknowledged, or one failed."""
        with self._changed:
            self._unacknowledged -= 1
            if failure is None:
                self._published[observation_kind] += 1
            else:
                self._failure = self._failure or failure
            self._changed.notify_all()


class _Delivery:
    """The messages of one observation: settled with the last acknowledgement or the first failure."""

    __slots__ = ("_kind", "_left", "_lock", "_publisher")

    def __init__(self, publisher: Publisher, observation_kind: str, messages: int) -> None:
        self._publisher = publisher
        self._kind = observation_kind
        self._left = messages
        self._lock = threading.Lock()

    def acknowledged(self, _metadata: object) -> None:
        """One message is acknowledged."""
        with self._lock:
            self._left -= 1
            settled = self._left == 0
        if settled:
            self._publisher.settle(self._kind, None)

    def failed(self, error: BaseException) -> None:
        """One message was given up."""
        with self._lock:
            settled, self._left = self._left > 0, -1
        if settled:
            self._publisher.settle(self._kind, error)


def _publish_error(what: str, error: BaseException) -> PublishError:
    return PublishError(f"{what}: {error}", retryable=bool(getattr(error, "retriable", False)))
