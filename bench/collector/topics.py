"""A topic read from its beginning: which writes are on it, and when the broker appended them. It must not judge."""

import time
from collections.abc import Callable, Collection
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition

from bench.collector.contestants import PARTITIONS, WriteId

_POLL_MS: Final = 200


class Topic:
    """What has been read so far; ``appended`` has the first record of each write, Unix milliseconds of the broker."""

    def __init__(self, bootstrap: str, name: str, write_of: Callable[[Any], WriteId | None]) -> None:
        self._write_of = write_of
        self.appended: dict[WriteId, int] = {}
        self.records = 0
        self.record_bytes = 0
        self.repeats = 0
        # No group: it keeps its place itself, and costs nothing while nobody reads.
        self._consumer: Any = KafkaConsumer(
            bootstrap_servers=[bootstrap], auto_offset_reset="earliest", enable_auto_commit=False, group_id=None
        )
        self._consumer.assign([TopicPartition(name, number) for number in range(PARTITIONS)])

    def close(self) -> None:
        """End the connection."""
        self._consumer.close()

    def tells_of(self, uids: Collection[str]) -> bool:
        """Whether one of these objects is on it."""
        return any(uid in uids for uid, _ in self.appended)

    def read(self) -> int:
        """Read what is there, waiting a little when there is nothing. The number of records."""
        count = 0
        for records in self._consumer.poll(timeout_ms=_POLL_MS, max_records=5_000).values():
            for record in records:
                count += 1
                self._take(record)
        return count

    def read_until(self, wanted: Collection[WriteId], *, quiet_seconds: float, at_most_seconds: float) -> bool:
        """Read until all these writes have come; False when nothing more comes, or it takes too long."""
        began = last = time.monotonic()
        missing = set(wanted) - self.appended.keys()
        while missing:
            if self.read():
                last = time.monotonic()
                missing -= self.appended.keys()
            elif time.monotonic() - last > quiet_seconds:
                return False
            if time.monotonic() - began > at_most_seconds:
                return False
        return True

    def _take(self, record: Any) -> None:  # noqa: ANN401 - untyped library
        self.records += 1
        self.record_bytes += len(record.value or b"")
        write = self._write_of(record)
        if write is None:
            return
        if write in self.appended:
            self.repeats += 1
        self.appended.setdefault(write, record.timestamp)
