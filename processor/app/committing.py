"""The group commit: what was applied to a partition reaches Kafka in an order that survives a crash at any point.

1. Dead letters, acknowledged. 2. The journal entry, acknowledged: from here on the commit counts, and a recovery completes it.
3. The keys' new values and the diagnoses, all acknowledged. 4. The table on this machine. Only then may source offsets be
acknowledged. A failure is raised, never swallowed: the worker ends, and the next one recovers.

This module knows the order and the journal; it must not know Faust (``Publisher`` and ``LoggedTable`` are given to it).
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

import structlog

from processor.app.dead_letters import without_value
from processor.app.journal import CHUNK_BYTES, Entry, decode_entry, decode_head, encode_entry, encode_settled
from processor.app.partition import Batch, Partition
from processor.app.records import Headers, OutgoingRecord
from processor.app.state import PartitionedTable, chunk_key, head_key, state_key

_log = structlog.stdlib.get_logger(__name__)


class RecordTooLargeError(Exception):
    """Kafka refuses a record for its size. A retry does not help."""


class Publisher(Protocol):
    """Sends records in the order of the calls; idempotent, acknowledged by all replicas."""

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, *, partition: int | None = None, headers: Headers = ()
    ) -> Awaitable[int]:
        """Queue one record; the result is its offset, once acknowledged. ``partition`` None: chosen from the key as Java does.

        Raises RecordTooLargeError, here or from the result.
        """


class LoggedTable(PartitionedTable, Protocol):
    """A table whose changes are logged to the partition of the same number of a changelog topic."""

    @property
    def changelog(self) -> str:
        """The changelog topic."""

    def logged_up_to(self, partition: int, offset: int) -> None:
        """The table holds everything of the changelog's partition up to that offset."""


class Committer:
    """Commits batches, and completes what a crash left half done."""

    def __init__(self, table: LoggedTable, publisher: Publisher) -> None:
        self._table = table
        self._publisher = publisher

    async def commit(self, partition: Partition) -> None:
        """Commit what the partition has applied. On return everything is acknowledged."""
        batch = partition.batch()
        for letter in batch.dead_letters:
            await self._send_dead_letter(letter)
        entry = Entry(batch.offset, batch.changes, batch.outputs)
        head, chunks = encode_entry(entry, CHUNK_BYTES)
        number = batch.partition
        await self._log(number, [(chunk_key(number, chunk), value) for chunk, value in enumerate(chunks)])
        # The head makes the entry valid: sent only when every chunk is acknowledged.
        await self._log(number, [(head_key(number), head)])
        await self._complete(number, entry)
        await self._drop_chunks(number, range(len(chunks), partition.chunks))
        partition.chunks = len(chunks)
        partition.unsettled = bool(batch.changes or batch.outputs)
        partition.committed_batch(batch)
        self._report(batch)

    async def settle(self, partition: Partition) -> None:
        """Note that the last commit is done in full, so that a worker which takes over in good order sends nothing again."""
        if not partition.unsettled:
            return
        number = partition.number
        await self._log(number, [(head_key(number), encode_settled(partition.committed))])
        await self._drop_chunks(number, range(partition.chunks))
        partition.unsettled = False
        partition.chunks = 0

    async def recover(self, number: int, *, end_offset: int) -> tuple[int, int]:
        """Do the partition's last commit again, if it may be half done.

        Returns the last source offset applied (-1: none) and how many journal chunks the table holds. ``end_offset`` is the source
        partition's: one that ends before the journal's offset was deleted and made anew, and is read from its start.

        Raises JournalFormatError.
        """
        value = self._table.read(number, head_key(number))
        if value is None:
            return -1, 0
        head = decode_head(value)
        entry = decode_entry(head, lambda chunk: self._table.read(number, chunk_key(number, chunk)))
        if entry is not None and (entry.changes or entry.outputs):
            _log.info(
                "commit_repeated", partition=number, offset=entry.offset, keys=len(entry.changes), records=len(entry.outputs)
            )
            await self._complete(number, entry)
        if head.offset >= end_offset:
            _log.error("source_topic_is_not_the_one_known", partition=number, applied_offset=head.offset, end_offset=end_offset)
            return -1, head.chunks
        return head.offset, head.chunks

    async def _drop_chunks(self, number: int, chunks: range) -> None:
        await self._log(number, [(chunk_key(number, chunk), None) for chunk in chunks])

    async def _complete(self, number: int, entry: Entry) -> None:
        keys = [(state_key(number, key), value) for key, value in entry.changes.items()]
        outputs = [
            await self._publisher.send(output.topic, output.key, output.value, headers=output.headers)
            for output in entry.outputs
        ]
        await asyncio.gather(self._log(number, keys), *outputs)

    async def _log(self, number: int, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Log changes to the changelog, wait for it, then make them here: the table is never ahead of its changelog."""
        if not changes:
            return
        sent = [await self._publisher.send(self._table.changelog, key, value, partition=number) for key, value in changes]
        offsets = await asyncio.gather(*sent)
        for key, value in changes:
            self._table.write(number, key, value)
        self._table.logged_up_to(number, max(offsets))

    async def _send_dead_letter(self, letter: OutgoingRecord) -> None:
        try:
            await (await self._publisher.send(letter.topic, letter.key, letter.value, headers=letter.headers))
        except RecordTooLargeError:
            _log.error("dead_letter_value_dropped", topic=letter.topic, value_bytes=len(letter.value or b""))
            cut = without_value(letter)
            await (await self._publisher.send(cut.topic, cut.key, cut.value, headers=cut.headers))

    def _report(self, batch: Batch) -> None:
        for output in batch.outputs:
            _log.info("diagnosis_published", partition=batch.partition, **output.log_fields)
