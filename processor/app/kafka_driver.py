"""Faust's Kafka driver and services with what this app needs changed. Each change says why; nothing else is here."""

import asyncio
from collections.abc import Awaitable, Generator, Mapping
from typing import Any, Final

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import MessageSizeTooLargeError
from faust.exceptions import ProducerSendError
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver

from processor.app.committing import RecordTooLargeError
from processor.app.records import Headers


_FETCH_MAX_WAIT_MS: Final = 100


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


class PromptConsumer(driver.Consumer):  # type: ignore[misc]
    """The consumer with that thread."""

    def _new_consumer_thread(self) -> PromptConsumerThread:
        return PromptConsumerThread(self, loop=self.loop, beacon=self.beacon)


class PromptTransport(driver.Transport):  # type: ignore[misc]
    """The transport with that producer and that consumer."""

    Producer = IdempotentProducer
    Consumer = PromptConsumer


class PromptTableManager(TableManager):  # type: ignore[misc]
    """Faust sleeps for a second so that agents can subscribe (tables/manager.py, on_start); here they are awaited."""

    async def on_start(self) -> None:
        """Start as soon as the agents have subscribed."""
        wanted = {name for agent in self.app.agents.values() for name in agent.get_topic_names()}
        while not self.should_stop and not wanted <= {name for topic in self.app.topics for name in topic.topics}:
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
