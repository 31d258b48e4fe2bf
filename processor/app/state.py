"""The engine's store for one partition: the table's content under what was not committed yet.

The engine reads and writes here as if all were at hand. What it writes stays in memory until a group commit has been acknowledged,
and what it wrote for one record can be taken back when that record makes it fail. No Kafka and no Faust here.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

_ABSENT: Final = object()
_CHARSET: Final = "utf-8"
_SURROGATES: Final = "surrogatepass"


class PartitionedTable(Protocol):
    """Bytes by partition and key: what the store reads through, and what a commit writes to."""

    def read(self, partition: int, key: bytes) -> bytes | None:
        """The value, or None."""

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set a value on this machine, or remove it with None. Logging it to Kafka is the committer's."""

    def scan(self, partition: int, prefix: bytes) -> Iterable[tuple[bytes, bytes]]:
        """Everything of that partition whose key begins so."""


def state_prefix(partition: int) -> bytes:
    """What every key of the engine's state begins with, in the table and its changelog."""
    return b"%d/" % partition


def state_key(partition: int, key: str) -> bytes:
    """The table's key for one of the engine's keys. The partition is in it: clocks have the same key in every partition."""
    return state_prefix(partition) + key.encode(_CHARSET, _SURROGATES)


def head_key(partition: int) -> bytes:
    """The table's key for the partition's journal head. No key of the engine can equal it."""
    return b"%d!" % partition


def chunk_key(partition: int, number: int) -> bytes:
    """The table's key for one chunk of the partition's journal."""
    return b"%d!%d" % (partition, number)


class PartitionStore:
    """A HistoryStore (processor.engine) over one partition of the table."""

    def __init__(self, partition: int, table: PartitionedTable) -> None:
        self._partition = partition
        self._table = table
        self._changes: dict[str, bytes | None] = {}
        self._undo: dict[str, object] = {}
        self.changed_bytes = 0

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        if key in self._changes:
            return self._changes[key]
        return self._table.read(self._partition, state_key(self._partition, key))

    def put(self, key: str, value: bytes) -> None:
        """Set a value."""
        self._change(key, value)

    def delete(self, key: str) -> None:
        """Remove a key that may be absent."""
        self._change(key, None)

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Everything stored, what is not committed yet included."""
        prefix = state_prefix(self._partition)
        changes = dict(self._changes)  # as they are now: the reader may change what it reads
        for raw, value in self._table.scan(self._partition, prefix):
            key = raw[len(prefix) :].decode(_CHARSET, _SURROGATES)
            if key not in changes:
                yield key, value
        for key, changed in changes.items():
            if changed is not None:
                yield key, changed

    def begin(self) -> None:
        """From here on ``roll_back`` takes back."""
        self._undo.clear()

    def roll_back(self) -> None:
        """Take back every change since ``begin``."""
        for key, before in self._undo.items():
            if before is _ABSENT:
                del self._changes[key]
            elif before is None or isinstance(before, bytes):
                self._changes[key] = before
        self._undo.clear()

    def take_changes(self) -> dict[str, bytes | None]:
        """Every change since the last commit, newest value by key (None: removed). They stay visible until ``forget_changes``."""
        return dict(self._changes)

    def forget_changes(self) -> None:
        """The changes are in the table now."""
        self._changes.clear()
        self._undo.clear()
        self.changed_bytes = 0

    def _change(self, key: str, value: bytes | None) -> None:
        self._undo.setdefault(key, self._changes.get(key, _ABSENT))
        self._changes[key] = value
        self.changed_bytes += len(key) + len(value or b"")
