"""All partitions of one worker: which are ours, which batch goes when, and when an observation may be acknowledged.

It must not know Faust: records come in, acknowledgements are callbacks. Between a revocation and the next recovery everything that
comes in is let go unacknowledged, since it is read again.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from processor.app.committing import Committer, LoggedTable, Publisher
from processor.app.partition import Counters, EngineFactory, Partition
from processor.app.records import SourceRecord
from processor.app.settings import ProcessorSettings

_log = structlog.stdlib.get_logger(__name__)


class UnassignedPartitionError(RuntimeError):
    """A record of a partition that was not recovered: a bug, and going on would lose it."""


class SourceReader(Protocol):
    """Steers what is read of the observations topic."""

    def pause(self, partition: int) -> None:
        """Deliver nothing more of it; what was queued may still come."""

    async def read_on(self, partition: int, offset: int) -> None:
        """Deliver it from that offset on."""


class Processing:
    """Applies records partition by partition, and commits in batches."""

    def __init__(
        self,
        settings: ProcessorSettings,
        table: LoggedTable,
        publisher: Publisher,
        engine_factory: EngineFactory,
        *,
        reader: SourceReader,
    ) -> None:
        self.counters = Counters()
        self._settings = settings
        self._table = table
        self._engine_factory = engine_factory
        self._reader = reader
        self._rereading: set[int] = set()
        self._committer = Committer(table, publisher)
        self._partitions: dict[int, Partition] = {}
        self._waiting: list[Callable[[], object]] = []
        self._suspended = True
        self._lock = asyncio.Lock()

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions being processed."""
        return () if self._suspended else tuple(sorted(self._partitions))

    @property
    def positions(self) -> dict[int, int]:
        """Where each partition being processed is to be read on: behind the last offset that its state holds."""
        return {} if self._suspended else {number: partition.applied + 1 for number, partition in self._partitions.items()}

    async def handle(self, record: SourceRecord, acknowledge: Callable[[], object], *, more: bool) -> None:
        """Apply one record; with ``more`` already waiting, its commit may wait for them."""
        if self._suspended:
            return
        partition = self._partitions.get(record.partition)
        if partition is None:
            raise UnassignedPartitionError(f"{record.topic} partition {record.partition} offset {record.offset}")
        if partition.misses(record.offset) and record.partition not in self._rereading:
            _log.error(
                "records_missing", topic=record.topic, partition=partition.number, after=partition.applied, before=record.offset
            )
            self._reader.pause(partition.number)
            self._rereading.add(partition.number)
        if record.partition not in self._rereading:
            partition.apply(record)
            self._waiting.append(acknowledge)
        if partition.full or not more:
            await self._commit()
        if not more:
            await self._read_again()

    async def suspend(self, *, settle: bool) -> None:
        """Let go of every partition: what was applied and not committed is forgotten, and will be applied again by whoever is next.

        ``settle``: this worker is still the partitions' owner, so it may note that their last commits are done in full.
        """
        self._suspended = True
        async with self._lock:
            partitions = list(self._partitions.values())
            self._partitions.clear()
            self._waiting.clear()
            self._rereading.clear()
            if settle:
                await asyncio.gather(*(self._committer.settle(partition) for partition in partitions))

    async def recover(self, end_offsets: Mapping[int, int], *, still_ours: Callable[[], bool]) -> bool:
        """Take over partitions (their source end offsets by number) whose table has been read from the changelog.

        Returns False when they were reassigned meanwhile: nothing is processed then until the next recovery.
        """
        self._suspended = True
        async with self._lock:
            self._partitions.clear()
            self._waiting.clear()
            self._rereading.clear()
            for number, end_offset in sorted(end_offsets.items()):
                if not still_ours():
                    return False
                applied, chunks = await self._committer.recover(number, end_offset=end_offset)
                partition = Partition(number, self._table, self._settings, self._engine_factory, self.counters, applied=applied)
                partition.chunks = chunks
                # Whatever the head holds was just completed; the next commit or settling replaces it.
                partition.unsettled = applied >= 0
                self._partitions[number] = partition
                await asyncio.sleep(0)
            if not still_ours():
                self._partitions.clear()
                return False
            self._suspended = False
            return True

    async def _read_again(self) -> None:
        """Nothing is queued any more: what was missed is asked for again. What is still missing then is not in Kafka."""
        while self._rereading and not self._suspended:
            number = self._rereading.pop()
            partition = self._partitions[number]
            partition.at_known_position = True
            await self._reader.read_on(number, partition.applied + 1)

    async def _commit(self) -> None:
        async with self._lock:
            if self._suspended:
                return
            dirty = [partition for partition in self._partitions.values() if partition.dirty]
            await asyncio.gather(*(self._committer.commit(partition) for partition in dirty))
            waiting, self._waiting = self._waiting, []
            for acknowledge in waiting:
                acknowledge()
