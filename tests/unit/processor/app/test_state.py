"""The engine's store: what was not committed lies over the table, and can be taken back."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.app.state import PartitionStore, chunk_key, head_key, state_key


@pytest.fixture
def table(kit: ModuleType) -> object:
    table = kit.FakeTable(kit.FakeKafka())
    table.write(1, state_key(1, "old"), b"1")
    table.write(1, head_key(1), b"head")
    table.write(11, state_key(11, "other"), b"2")
    return table


def test_reads_see_the_table_and_what_is_not_committed(table: object) -> None:
    store = PartitionStore(1, table)  # type: ignore[arg-type]
    store.put("new", b"3")
    store.delete("old")

    assert (store.get("new"), store.get("old"), store.get("other")) == (b"3", None, None)
    assert dict(store.items()) == {"new": b"3"}


def test_items_are_this_partitions_states_alone(table: object) -> None:
    assert dict(PartitionStore(1, table).items()) == {"old": b"1"}  # type: ignore[arg-type]


def test_rolling_back_restores_what_was_there_at_begin(table: object) -> None:
    store = PartitionStore(1, table)  # type: ignore[arg-type]
    store.put("kept", b"a")
    store.delete("old")
    store.begin()
    store.put("kept", b"b")
    store.put("kept", b"c")
    store.put("old", b"d")
    store.put("new", b"e")
    store.roll_back()

    assert store.take_changes() == {"kept": b"a", "old": None}


def test_items_may_be_changed_while_they_are_read(table: object) -> None:
    store = PartitionStore(1, table)  # type: ignore[arg-type]
    store.put("a", b"1")

    for key, value in store.items():
        store.put(key + "'", value)
        store.delete(key)

    assert sorted(dict(store.items())) == ["a'", "old'"]


@given(st.integers(0, 999), st.integers(0, 999), st.text())
def test_no_key_of_a_state_is_a_key_of_a_journal(partition: int, other: int, key: str) -> None:
    assert state_key(partition, key) not in {head_key(other), chunk_key(other, partition)}


@given(st.integers(0, 999), st.integers(0, 999), st.text(), st.text())
def test_partitions_and_keys_never_share_a_table_key(partition: int, other: int, key: str, another: str) -> None:
    assert (state_key(partition, key) == state_key(other, another)) == ((partition, key) == (other, another))
