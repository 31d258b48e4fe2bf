"""Faust's Kafka driver and services with what this app needs changed. Each change says why; nothing else is here."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Final

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import MessageSizeTooLargeError
from faust.exceptions import ProducerSendError
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from processor.app.committing import RecordTooLargeError
from processor.app.records import Headers

_FETCH_MAX_WAIT_MS: Final = 100
_NOTHING_ACTIVE_SECONDS: Final = 0.02


class IdempotentProducer(driver.Producer):  # type: ignore[misc]
    """Faust turns idempotence on for its transactions only (drivers/aiokafka.py, _settings_extra)."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class PromptConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust lets a fetch wait at the broker for 1.5 s (fetch_max_wait_ms), and a connection's other requests queue behind it.

    Each step of a recovery asks for offsets on that connection, so each would cost up to 1.5 s.
    """

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_MAX_WAIT_MS  # noqa: SLF001 - Faust has no setting for it
        return consumer

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> Mapping[TP, Any]:
        """Fetch from the partitions that were active when asked.

        Faust hands over a live set, and aiokafka takes an empty one for "all": when the end of a recovery empties it during a fetch,
        records of paused partitions are fetched, dropped, and never read again. And Faust opens the source partitions, seeks, and only
        then clears the agents' queues (tables/recovery.py, on_recovery_completed; mode/utils/queues.py, resume): what was fetched in
        between is lost, so until the recovery is over nothing is.
        """
        active = frozenset(active_partitions)
        if not self.consumer.reading:
            active = frozenset(tp for tp in active if tp.topic != self.consumer.source_topic)
        if not active:
            await asyncio.sleep(_NOTHING_ACTIVE_SECONDS)
            return {}
        records: Mapping[TP, Any] = await super()._fetch_records(consumer, active, timeout=timeout, max_records=max_records)
        return records


class ExactConsumer(driver.Consumer):  # type: ignore[misc]
    """The consumer with that thread, which reads on behind what the state holds rather than behind what was committed.

    Faust seeks to committed offsets alone (aiokafka, seek_to_committed), and where there is none it leaves the position wherever it
    happens to be. The state's own offset is the exact one; the committed one only follows it.
    """

    #: Where each partition of the source topic is to be read on; set by the app, like the topic's name.
    source_positions: Callable[[], Mapping[TP, int]] = staticmethod(dict)
    source_topic = ""
    #: Whether source records may be fetched: from the end of a recovery to the next rebalance.
    reading = False

    def _new_consumer_thread(self) -> PromptConsumerThread:
        return PromptConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Seek every partition to where it is to be read on."""
        await super().perform_seek()
        assigned = self.assignment()
        positions = {tp: offset for tp, offset in self.source_positions().items() if tp in assigned}
        await self.seek_wait(positions)
        # Faust commits only what follows the committed offset without a gap.
        self._committed_offset.update({tp: offset or None for tp, offset in positions.items()})


class ExactTransport(driver.Transport):  # type: ignore[misc]
    """The transport with that producer and that consumer."""

    Producer = IdempotentProducer
    Consumer = ExactConsumer


class PromptTableManager(TableManager):  # type: ignore[misc]
    """Faust sleeps for a second so that agents can subscribe (tables/manager.py, on_start); here they are awaited."""

    async def on_start(self) -> None:
        """Start as soon as the agents have subscribed."""
        wanted = {name for agent in self.app.agents.values() for name in agent.get_topic_names()}
        while not self.should_stop and not wanted <= {name for topic in self.app.topics for name in topic.topics}:  # noqa: ASYNC110 - Faust has no event for it
            await asyncio.sleep(0.01)
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class _Acknowledgement:
    """Awaits a send; its result is the record's offset."""

    def __init__(self, sent: Awaitable[Any]) -> None:
        self._sent = sent

    def __await__(self) -> Generator[Any, Any, int]:
        try:
            metadata = yield from self._sent.__await__()
        except MessageSizeTooLargeError as error:
            raise RecordTooLargeError(str(error)) from error
        return int(metadata.offset)


class FaustPublisher:
    """A Publisher (processor.app.committing) over the app's producer, past Faust's codecs and its unawaited buffer."""

    def __init__(self, app: faust.App) -> None:
        self._app = app

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, *, partition: int | None = None, headers: Headers = ()
    ) -> Awaitable[int]:
        """Queue one record; the result is its offset."""
        producer = await self._app.maybe_start_producer()
        try:
            sent = await producer.send(topic, key, value, partition=partition, timestamp=None, headers=list(headers))
        except ProducerSendError as error:
            if isinstance(error.__cause__, MessageSizeTooLargeError):
                raise RecordTooLargeError(str(error.__cause__)) from error
            raise
        return _Acknowledgement(sent)
