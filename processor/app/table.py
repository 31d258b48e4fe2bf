"""The Faust table that holds every pod's history, by partition, with a changelog that is written and awaited by us.

Faust's own ``table[key] = value`` queues the changelog record and goes on: nobody hears of its failure, and the source offset can be
committed first. So values are set on the store beneath, after ``processor.app.committing`` has had them acknowledged; what is kept
of Faust is the recovery from the changelog, standby replicas and RocksDB. This module must not decide what is stored.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Protocol

from faust.stores.memory import Store as MemoryStore
from faust.tables import Table
from faust.types import TP

OnRecovered = Callable[[frozenset[int]], Awaitable[None]]


class _Local(Protocol):
    def read(self, partition: int, key: bytes) -> bytes | None: ...
    def write(self, partition: int, key: bytes, value: bytes | None) -> None: ...
    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...
    def forget(self, prefixes: tuple[bytes, ...]) -> None: ...


class _InMemory:
    """Over Faust's memory store: one dict for all partitions."""

    def __init__(self, store: Any) -> None:  # noqa: ANN401 - Faust's store has no complete types
        self._store = store

    def read(self, partition: int, key: bytes) -> bytes | None:  # noqa: ARG002 - the partition is in the key
        value = self._store.data.get(key)
        return value if isinstance(value, bytes) else None

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:  # noqa: ARG002 - the partition is in the key
        if value is None:
            self._store.data.pop(key, None)
        else:
            self._store.data[key] = value

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:  # noqa: ARG002 - the partition is in the key
        for key in list(self._store.data):
            if key.startswith(prefix):
                yield key, self._store.data[key]

    def forget(self, prefixes: tuple[bytes, ...]) -> None:
        for key in [key for key in self._store.data if key.startswith(prefixes)]:
            del self._store.data[key]


class _OnDisk:
    """Over Faust's RocksDB store: one database for each partition."""

    def __init__(self, store: Any) -> None:  # noqa: ANN401 - Faust's store has no complete types
        self._store = store

    def read(self, partition: int, key: bytes) -> bytes | None:
        value = self._database(partition).get(key)
        return value if isinstance(value, bytes) else None

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._database(partition).delete(key)
        else:
            self._database(partition).put(key, value)

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._database(partition).items(from_key=prefix):
            if not key.startswith(prefix):
                return
            yield key, value

    def forget(self, prefixes: tuple[bytes, ...]) -> None:
        """Nothing: Faust closes the database, and its own note of the changelog offset goes with it."""

    def _database(self, partition: int) -> Any:  # noqa: ANN401 - the driver has no complete types
        return self._store._db_for_partition(partition)  # noqa: SLF001 - the public access picks the partition from Faust's current event


class StateTable(Table):  # type: ignore[misc]
    """A table by partition (processor.app.committing.LoggedTable)."""

    #: Called when the changelog has been read, with the partitions that are this worker's; None: nobody asks.
    on_partitions_recovered: OnRecovered | None = None
    _local_store: _Local | None = None

    @property
    def changelog(self) -> str:
        """The changelog topic."""
        return str(self.changelog_topic_name)

    @property
    def _local(self) -> _Local:
        if self._local_store is None:
            store = self.data
            self._local_store = _InMemory(store) if isinstance(store, MemoryStore) else _OnDisk(store)
        return self._local_store

    def read(self, partition: int, key: bytes) -> bytes | None:
        """The value, or None."""
        return self._local.read(partition, key)

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set a value on this machine, or remove it with None."""
        self._local.write(partition, key, value)

    def scan(self, partition: int, prefix: bytes) -> Iterable[tuple[bytes, bytes]]:
        """Everything of that partition whose key begins so."""
        return self._local.scan(partition, prefix)

    def logged_up_to(self, partition: int, offset: int) -> None:
        """The table holds everything of the changelog's partition up to that offset: a restart with the same disk reads on from there."""
        if offset >= 0:
            self.data.set_persisted_offset(TP(self.changelog, partition), offset)

    async def on_start(self) -> None:
        """Start the store. The changelog topic exists already (processor.app.topics): Faust would give it a partition count of its own."""
        await self.add_runtime_dependency(self.data)

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0) -> None:
        """Forget what another worker changes, or has changed, in the meantime: it is read anew from the changelog.

        The memory store keeps keys that were set here when their partition leaves, so they would be found stale on its return.
        """
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        moved = {tp.partition for tp in revoked | newly_assigned if tp.topic == self.changelog}
        self._local.forget(tuple(prefix for number in moved for prefix in (b"%d/" % number, b"%d!" % number)))

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """The changelog has been read."""
        await super().on_recovery_completed(active_tps, standby_tps)
        if self.on_partitions_recovered is not None:
            await self.on_partitions_recovered(frozenset(tp.partition for tp in active_tps))

    def _new_changelog_topic(self, **options: Any) -> Any:  # noqa: ANN401 - Faust's signature
        topic = super()._new_changelog_topic(**options)
        topic.internal = False  # else the conductor declares it
        return topic
