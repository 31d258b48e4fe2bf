"""Resume points: never before the acknowledgement of what came before, and never another cluster's."""

import msgspec
import pytest

from collector.checkpointing import Checkpoint, CheckpointWriter, ClusterMismatchError, Position, interpret
from schemas.codec import RECORD_MAX_BYTES
from schemas.observation import Cluster

_CLUSTER = Cluster(name="one", uid="uid-1")
_POD = ("team", "web-1", "pod-uid-1")


class _Store:
    """Kafka, with acknowledgements that come when the test says so."""

    def __init__(self) -> None:
        self.handed_over = 0
        self.acknowledged_through = 0
        self.stored: list[tuple[str, bytes]] = []

    def store(self, topic: str, key: str, value: bytes) -> None:
        assert topic == "podcause.checkpoints.v1"
        self.handed_over += 1
        self.stored.append((key, value))

    def acknowledge_all(self) -> None:
        self.acknowledged_through = self.handed_over

    def keys(self) -> list[str]:
        return [key for key, _ in self.stored]


def _position(version: str, resource: str = "pods") -> Position:
    return Position(cluster=_CLUSTER, resource=resource, resource_version=version, time="2026-11-22T16:00:00.000Z")


def _writer(store: _Store, found: Checkpoint | None = None) -> CheckpointWriter:
    return CheckpointWriter(store, "podcause", _CLUSTER, found or Checkpoint())


def test_nothing_is_written_before_the_acknowledgement() -> None:
    store = _Store()
    writer = _writer(store)
    store.handed_over = 3
    writer.begin([_position("7")], None)
    store.acknowledged_through = 2
    assert not writer.step()
    assert store.stored == []
    store.acknowledged_through = 3
    assert writer.step()
    assert store.keys() == ["one/pods"]


def test_later_observations_do_not_delay_it() -> None:
    store = _Store()
    writer = _writer(store)
    store.handed_over = 3
    writer.begin([_position("7")], None)
    store.handed_over, store.acknowledged_through = 9, 3
    assert writer.step()


def test_known_pods_are_acknowledged_before_the_position_that_counts_on_them() -> None:
    store = _Store()
    writer = _writer(store)
    writer.begin([_position("7")], [_POD])
    assert not writer.step()
    assert len(store.keys()) == 1
    assert store.keys()[0].startswith("one/known-pods-")
    store.acknowledge_all()
    assert writer.step()
    assert store.keys()[1:] == ["one/pods"]


def test_what_has_not_changed_is_not_written_again() -> None:
    store = _Store()
    writer = _writer(store)
    for _ in range(2):
        writer.begin([_position("7")], [_POD])
        while not writer.idle:
            store.acknowledge_all()
            writer.step()
    assert len(store.stored) == 2


def test_what_is_written_is_read_back() -> None:
    store = _Store()
    writer = _writer(store)
    writer.begin([_position("7"), _position("9", "events")], [_POD])
    store.acknowledge_all()
    writer.step()
    store.acknowledge_all()
    writer.step()
    found = interpret(dict(store.stored), _CLUSTER)
    assert found == Checkpoint({"pods": _position("7"), "events": _position("9", "events")}, frozenset({_POD}))


def test_equal_names_and_different_uids_are_refused() -> None:
    records = {"one/pods": msgspec.json.encode(_position("7"))}
    with pytest.raises(ClusterMismatchError, match="'one' belongs to the cluster with UID uid-1, this one has uid-2"):
        interpret(records, Cluster(name="one", uid="uid-2"))


def test_other_clusters_are_told_by_their_last_time() -> None:
    records = {"one/pods": msgspec.json.encode(_position("7"))}
    assert interpret(records, Cluster(name="two", uid="uid-2")) == Checkpoint(
        other_clusters={"one": "2026-11-22T16:00:00.000Z"}
    )


def test_what_cannot_be_read_is_left_out() -> None:
    assert interpret({"one/pods": b"{}", "one/events": b"no json"}, _CLUSTER) == Checkpoint()


def test_a_shard_fits_a_record_however_many_pods_there_are() -> None:
    store = _Store()
    writer = _writer(store)
    writer.begin([], [("namespace", f"{'name' * 15}-{number}", f"{number:036}") for number in range(60_000)])
    writer.step()
    assert max(len(value) for _, value in store.stored) <= RECORD_MAX_BYTES
