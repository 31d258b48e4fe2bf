"""Builds the Faust app of one worker: the table, the agent, and the hooks into rebalances.

A factory, no module-level app. What happens to a record is in processor.app.processing; here is only Faust.
"""

import importlib.util
import logging
from collections.abc import Callable
from typing import Any

import faust
import structlog
from faust.types import TP, AgentT, EventT, StreamT
from yarl import URL

from processor.app.kafka_client import broker_credentials, broker_urls
from processor.app.kafka_driver import ExactConsumer, ExactTransport, FaustPublisher, PromptTableManager
from processor.app.partition import EngineFactory
from processor.app.processing import Processing
from processor.app.records import SourceRecord
from processor.app.settings import TABLE_NAME, ProcessorSettings, ProcessorSettingsError
from processor.app.table import StateTable
from schemas.kafka_settings import KafkaSettings

_log = structlog.stdlib.get_logger(__name__)

#: aiokafka never gives up on an idempotent record that was sent once; this bounds what could not be sent at all.
_PRODUCER_TIMEOUT_SECONDS = 600.0
_REQUEST_TIMEOUT_SECONDS = 40.0

OnReady = Callable[[tuple[int, ...]], None]


class ProcessorApp(faust.App):  # type: ignore[misc]
    """Faust's app, with processing suspended before a revocation is answered, and a word when a recovery is over."""

    #: What Faust's services say of themselves comes under Faust's name.
    logger = logging.getLogger("faust.app")

    processing: Processing
    source_topic: str
    on_ready: OnReady | None = None

    def _new_consumer(self) -> ExactConsumer:
        consumer: ExactConsumer = super()._new_consumer()
        consumer.source_positions = self._source_positions
        consumer.source_topic = self.source_topic
        return consumer

    def pause(self, partition: int) -> None:
        """Deliver nothing more of a partition of the observations topic."""
        self.consumer.pause_partitions({TP(self.source_topic, partition)})

    async def read_on(self, partition: int, offset: int) -> None:
        """Deliver that partition from an offset on."""
        tp = TP(self.source_topic, partition)
        await self.consumer.seek_wait({tp: offset})
        self.consumer.resume_partitions({tp})

    def _source_positions(self) -> dict[TP, int]:
        return {TP(self.source_topic, number): offset for number, offset in self.processing.positions.items()}

    def _new_transport(self) -> ExactTransport:
        return ExactTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Only RocksDB needs Faust's directories: with the memory store nothing is written to disk."""
        if self.conf.store.scheme == "rocksdb":
            self.conf.datadir.mkdir(parents=True, exist_ok=True)
            super()._create_directories()

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        # Once more, in this thread: the end of an earlier recovery may have come after the start of this rebalance.
        self.consumer.reading = False
        if not self.should_stop:
            await self.processing.suspend(settle=self._is_member())
        await super()._on_partitions_revoked(revoked)

    def on_rebalance_start(self) -> None:
        """Nothing more is read."""
        self.consumer.reading = False
        super().on_rebalance_start()

    def on_rebalance_end(self) -> None:
        """Recovered, and reading."""
        super().on_rebalance_end()
        self.consumer.reading = True
        _log.info("partitions_ready", partitions=self.processing.partitions)
        if self.on_ready is not None:
            self.on_ready(self.processing.partitions)

    async def on_stop(self) -> None:
        """Let the commit in flight end, commit its offsets, and leave."""
        await self.processing.suspend(settle=not self.crashed and self._is_member())
        await super().on_stop()

    async def _on_agent_error(self, agent: AgentT, exc: BaseException) -> None:
        """End. Faust would start the agent anew and go on behind the failed record; the next worker recovers and loses nothing."""
        await super()._on_agent_error(agent, exc)
        await self.crash(exc)

    def _is_member(self) -> bool:
        """Whether the group still counts this worker in: one that was thrown out must not write to the changelog any more."""
        thread = self._consumer and self._consumer._thread  # noqa: SLF001 - Faust has no public way to ask
        client = thread and thread._consumer  # noqa: SLF001
        return bool(client) and int(client._coordinator.generation) >= 0  # noqa: SLF001


def create_app(
    settings: ProcessorSettings,
    kafka: KafkaSettings,
    *,
    partitions: int,
    engine_factory: EngineFactory,
    on_ready: OnReady | None = None,
) -> ProcessorApp:
    """The app of one worker, not started. ``partitions`` is the observations topic's number, which the changelog shares.

    Raises ProcessorSettingsError when the store's driver is not installed.
    """
    if settings.store == "rocksdb" and importlib.util.find_spec("rocksdict") is None:
        raise ProcessorSettingsError("store rocksdb: the package rocksdict is not installed (pip install 'podcause[rocksdb]')")
    app = ProcessorApp(
        settings.group_id,
        broker=broker_urls(kafka),
        broker_credentials=broker_credentials(kafka),
        broker_client_id="podcause-processor",
        broker_commit_interval=settings.commit_interval_seconds,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / 3,
        broker_request_timeout=_REQUEST_TIMEOUT_SECONDS,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance_id,
        producer_acks=-1,
        producer_request_timeout=_PRODUCER_TIMEOUT_SECONDS,
        key_serializer="raw",
        value_serializer="raw",
        store=URL("rocksdb://?driver=rocksdict") if settings.store == "rocksdb" else URL("memory://"),
        datadir=settings.data_dir,
        table_standby_replicas=settings.standby_replicas,
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        web_enabled=settings.web_port is not None,
        web_host="127.0.0.1",
        web_bind="127.0.0.1",
        web_port=settings.web_port or 6066,
        worker_redirect_stdouts=False,
        TableManager=PromptTableManager,
    )
    app.on_ready = on_ready
    app.source_topic = settings.observations_topic
    table = StateTable(app, name=TABLE_NAME, key_type=bytes, value_type=bytes, partitions=partitions, beacon=app.tables.beacon)
    app.tables.add(table)
    app.processing = Processing(settings, table, FaustPublisher(app), engine_factory, reader=app)
    table.on_partitions_recovered = _recovery_of(app, settings.observations_topic)
    source = app.topic(
        settings.observations_topic,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        allow_empty=True,
    )
    app.agent(source, name="correlate")(_agent_of(app.processing))
    return app


def _agent_of(processing: Processing) -> Callable[[StreamT], Any]:
    async def correlate(stream: StreamT) -> None:
        unacknowledged = stream.noack()
        async for event in unacknowledged.events():
            await processing.handle(_source_record(event), event.ack, more=not unacknowledged.channel.queue.empty())

    return correlate


def _recovery_of(app: ProcessorApp, source_topic: str) -> Callable[[frozenset[int]], Any]:
    async def recover(partitions: frozenset[int]) -> None:
        generation = app.consumer_generation_id
        try:
            ends = await app.consumer.highwaters(*(TP(source_topic, number) for number in partitions)) if partitions else {}
            await app.processing.recover(
                {tp.partition: end for tp, end in ends.items()},
                still_ours=lambda: app.consumer_generation_id == generation,
            )
        except Exception as error:  # noqa: BLE001 - Faust awaits this callback and drops its exception: a half recovered worker must end
            await app.crash(error)

    return recover


def _source_record(event: EventT) -> SourceRecord:
    message = event.message
    return SourceRecord(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(message.headers or ()),
    )
