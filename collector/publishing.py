"""Observations onto Kafka: acknowledged by all in-sync replicas, in order, and never more of them in flight than memory allows.

Beside `kafka_client` the one importer of the Kafka client. It must not translate, pace or decide what is worth publishing.
Partitions are chosen by kafka-python's default partitioner: murmur2 of the key, as Java clients do.
"""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from collector.cloudevents import goes_to_every_partition, kind, message_headers, message_key
from collector.kafka_client import client_arguments
from collector.stats import CollectorStats
from collector.topic_creation import BOOTSTRAP_TIMEOUT_MS, PublishError, connecting, ensure_topics
from schemas.codec import encode
from schemas.kafka_settings import KafkaSettings
from schemas.observation import Observation
from schemas.topics import OBSERVATIONS

_LAST_FLUSH_SECONDS: Final = 10.0
_UNACKNOWLEDGED_MAX_BYTES: Final = 32 * 1024 * 1024
_REQUEST_TIMEOUT_MS: Final = 30_000
_METADATA_TIMEOUT_MS: Final = 15_000
_LOOK_SECONDS: Final = 0.1
_log: Final = structlog.get_logger(__name__)

__all__ = ["AbandonedError", "Ending", "PublishError", "Publisher", "ensure_topics"]


class AbandonedError(PublishError):
    """What was unacknowledged has been given up on purpose, because another may publish now."""

    def __init__(self) -> None:
        super().__init__("publishing was given up: another may publish now", retryable=True)


class Ending:
    """The end of a run: asked for by ``stop``, and over when the grace time is. Nothing may wait longer then."""

    def __init__(self, stop: threading.Event, grace_seconds: float) -> None:
        self.stop = stop
        self._grace_seconds = grace_seconds
        self._over_at: float | None = None

    def left(self) -> float | None:
        """Seconds that are left of the grace time; None while the end is not asked for. To be asked often: it begins with that."""
        if self._over_at is None:
            if not self.stop.is_set():
                return None
            self._over_at = time.monotonic() + self._grace_seconds
        return max(0.0, self._over_at - time.monotonic())


class Publisher:
    """Publishes in order; ``publish`` waits while too many are unacknowledged, but not beyond ``ending``. Leaving it flushes.

    An observation counts as published when every message of it is acknowledged. After the first failure everything raises: what
    follows must not overtake what was lost. Everything handed over has a number, counted from 1: ``handed_over`` now, and later
    ``acknowledged_through``, say whether all that came before some point is in Kafka.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        prefix: str,
        *,
        max_unacknowledged: int = 5_000,
        timeout_seconds: float = 120.0,
        stats: CollectorStats | None = None,
        ending: Ending | None = None,
    ) -> None:
        self._topic = OBSERVATIONS.name(prefix)
        self._max_unacknowledged = max_unacknowledged
        self._timeout_seconds = timeout_seconds
        self._changed = threading.Condition()
        self._stats = stats
        self._ending = ending
        self._handed_over = 0
        self._pending: OrderedDict[int, _Pending] = OrderedDict()
        self._pending_bytes = 0
        self._published: Counter[str] = Counter()
        self._failure: BaseException | None = None
        timeout_ms = int(timeout_seconds * 1000)
        with connecting(kafka):
            self._producer: Any = KafkaProducer(
                **client_arguments(kafka),
                client_id="podcause-collector",
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS,
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
            return len(self._pending)

    @property
    def handed_over(self) -> int:
        """The number of the last thing that was handed over."""
        with self._changed:
            return self._handed_over

    @property
    def acknowledged_through(self) -> int:
        """Everything up to this number is acknowledged. Raises PublishError when something never will be."""
        with self._changed:
            self._raise_failure()
            return next(iter(self._pending)) - 1 if self._pending else self._handed_over

    @property
    def oldest_unacknowledged(self) -> float | None:
        """When the oldest of what is unacknowledged was handed over (``time.monotonic``), or None."""
        with self._changed:
            return next(iter(self._pending.values())).since if self._pending else None

    def has_room(self) -> bool:
        """Whether ``publish`` would not wait. Raises PublishError for an earlier observation that failed."""
        with self._changed:
            self._raise_failure()
            return self._has_room()

    def publish(self, observation: Observation) -> None:
        """Hand one over; waits while too many are unacknowledged. Raises PublishError, also for an earlier one that failed."""
        key, value, headers = message_key(observation).encode(), encode(observation), message_headers(observation)
        partitions = self._known_partitions() if goes_to_every_partition(observation) else (None,)
        self._hand_over(self._topic, key, value, headers, partitions, kind(observation))

    def store(self, topic: str, key: str, value: bytes) -> None:
        """Hand over a record of another topic, such as a resume point: numbered and acknowledged like an observation."""
        self._hand_over(topic, key.encode(), value, [("content-type", b"application/json")], (None,), None)

    def _hand_over(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        headers: list[tuple[str, bytes]],
        partitions: Sequence[int | None],
        observation_kind: str | None,
    ) -> None:
        size = len(value) * len(partitions)
        with self._changed:
            if not self._wait(self._has_room, self._timeout_seconds):
                raise PublishError(f"{len(self._pending)} observations unacknowledged for too long", retryable=True)
            self._raise_failure()
            self._handed_over += 1
            number = self._handed_over
            self._pending[number] = _Pending(observation_kind, time.monotonic(), size)
            self._pending_bytes += size
        delivery = _Delivery(self, number, len(partitions))
        for partition in partitions:
            try:
                future = self._producer.send(topic, value=value, key=key, headers=headers, partition=partition)
            except (KafkaError, ValueError) as error:  # ValueError: the topic has gone
                delivery.failed(error)
                with self._changed:
                    self._raise_failure()
            future.add_callback(delivery.acknowledged)
            future.add_errback(delivery.failed)

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until everything is acknowledged, at most that long (else the publisher's time-out). Raises PublishError."""
        deadline = time.monotonic() + self._wait_at_most(self._timeout_seconds if timeout_seconds is None else timeout_seconds)
        try:
            self._producer.flush(timeout=max(0.0, deadline - time.monotonic()))
        except KafkaError as error:
            raise _publish_error(f"topic {self._topic}", error) from error
        with self._changed:
            if not self._wait(self._is_settled, deadline - time.monotonic()):
                raise PublishError(f"{len(self._pending)} observations unacknowledged for too long", retryable=True)
            self._raise_failure()

    def _flush_briefly(self) -> None:
        try:
            self.flush(_LAST_FLUSH_SECONDS)
        except PublishError as error:
            _log.warning("observations_given_up", unacknowledged=self.unacknowledged, reason=str(error))

    def close(self) -> None:
        """Give up what is still unacknowledged, and the connections. To be called once more does nothing."""
        if self._failure is not None or self.unacknowledged:
            self.abandon()
        else:
            self._producer.close(timeout=5)

    def cut(self) -> None:
        """Give up what is unacknowledged, from any thread and without waiting: who publishes or flushes gets an AbandonedError."""
        with self._changed:
            self._failure = self._failure or AbandonedError()
            self._changed.notify_all()
        sender = getattr(self._producer, "_sender", None)
        if sender is not None:
            sender.force_close()  # close() alone first flushes, and leaves the sender running when that takes too long

    def abandon(self) -> None:
        """Give up at once what is unacknowledged, and the connections: nothing of it is sent any more. ``close`` does nothing then."""
        self.cut()
        try:
            self._producer.close(timeout=1)
        except KafkaError as error:
            _log.info("producer_abandoned", reason=str(error))

    def _known_partitions(self) -> tuple[int, ...]:
        """The topic's partitions, from the client's metadata, which it renews by itself."""
        try:
            partitions = self._producer.partitions_for(self._topic)
        except KafkaTimeoutError as error:
            raise PublishError(f"topic {self._topic} does not exist, or Kafka is away", retryable=True) from error
        except KafkaError as error:
            raise _publish_error(f"topic {self._topic}", error) from error
        return tuple(sorted(partitions))

    def _wait_at_most(self, seconds: float) -> float:
        left = self._ending.left() if self._ending is not None else None
        return max(0.0, seconds if left is None else min(seconds, left))

    def _wait(self, check: Callable[[], bool], seconds: float) -> bool:
        """Wait, with the lock, until it is true; False when the time, or that of the end, is over."""
        deadline = time.monotonic() + seconds
        while not check():
            left = self._wait_at_most(deadline - time.monotonic())
            if left <= 0:
                return False
            self._changed.wait(min(left, _LOOK_SECONDS))  # an end that is asked for meanwhile wakes nobody
        return True

    def _has_room(self) -> bool:
        return self._failure is not None or (
            len(self._pending) < self._max_unacknowledged and self._pending_bytes < _UNACKNOWLEDGED_MAX_BYTES
        )

    def _is_settled(self) -> bool:
        return self._failure is not None or not self._pending

    def _raise_failure(self) -> None:
        if isinstance(self._failure, AbandonedError):
            raise AbandonedError from self._failure
        if self._failure is not None:
            raise _publish_error(f"topic {self._topic}", self._failure) from self._failure

    def settle(self, number: int, failure: BaseException | None) -> None:
        """Called once per number, in the producer's thread: all its messages are acknowledged, or one failed."""
        with self._changed:
            settled = self._pending.pop(number)
            self._pending_bytes -= settled.size_bytes
            if failure is not None:
                self._failure = self._failure or failure
            elif settled.kind is not None:
                self._published[settled.kind] += 1
            self._changed.notify_all()
        if failure is None and settled.kind is not None and self._stats is not None:
            self._stats.acknowledged(settled.kind, time.monotonic() - settled.since, time.time_ns() // 1_000_000)


class _Pending(NamedTuple):
    """What is unacknowledged: an observation's kind (None: another record), when it was handed over, its size."""

    kind: str | None
    since: float
    size_bytes: int


class _Delivery:
    """The messages of one number: settled with the last acknowledgement or the first failure."""

    __slots__ = ("_left", "_lock", "_number", "_publisher")

    def __init__(self, publisher: Publisher, number: int, messages: int) -> None:
        self._publisher = publisher
        self._number = number
        self._left = messages
        self._lock = threading.Lock()

    def acknowledged(self, _metadata: object) -> None:
        """One message is acknowledged."""
        with self._lock:
            self._left -= 1
            settled = self._left == 0
        if settled:
            self._publisher.settle(self._number, None)

    def failed(self, error: BaseException) -> None:
        """One message was given up."""
        with self._lock:
            settled, self._left = self._left > 0, -1
        if settled:
            self._publisher.settle(self._number, error)


def _publish_error(what: str, error: BaseException) -> PublishError:
    return PublishError(f"{what}: {error}", retryable=bool(getattr(error, "retriable", False)))
