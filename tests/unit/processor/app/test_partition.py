"""What one record does to a partition: a dead letter for what cannot be processed, and a state without a trace of it."""

from types import ModuleType

import pytest

from processor.app.partition import Counters, Partition
from processor.app.settings import ProcessorSettings


@pytest.fixture
def partition(kit: ModuleType) -> Partition:
    return Partition(0, kit.FakeTable(kit.FakeKafka()), ProcessorSettings(), kit.CountingEngine, Counters())


@pytest.mark.parametrize(
    ("value", "class_name"),
    [
        (None, "schemas.codec.UndecodableRecordError"),
        (b"", "schemas.codec.UndecodableRecordError"),
        (b"\x00\x00\x00\x00\x01{}", "schemas.codec.UndecodableRecordError"),
        (b'{"kind":"unheard_of"}', "schemas.codec.UndecodableRecordError"),
        (b"[" * 60_000, "schemas.codec.UndecodableRecordError"),
        (b" " * 65_537, "schemas.codec.UndecodableRecordError"),
    ],
)
def test_what_cannot_be_decoded_becomes_a_dead_letter(
    kit: ModuleType, partition: Partition, value: bytes | None, class_name: str
) -> None:
    partition.apply(kit.source_record(value, 4))
    (letter,) = partition.batch().dead_letters

    assert (letter.topic, letter.key, letter.value) == ("podcause.dead-letters.v1", b"key", value)
    assert letter.headers[0] == ("h", b"1")
    why = dict(letter.headers[1:])
    assert why.pop("__connect.errors.exception.message")
    assert why == {
        "__connect.errors.topic": b"observations",
        "__connect.errors.partition": b"0",
        "__connect.errors.offset": b"4",
        "__connect.errors.stage": b"decoding",
        "__connect.errors.exception.class.name": class_name.encode(),
    }


def test_another_major_version_is_told_apart(kit: ModuleType, partition: Partition) -> None:
    partition.apply(kit.source_record(kit.event_bytes("a").replace(b'"1.0.0"', b'"2.0.0"'), 0))
    (letter,) = partition.batch().dead_letters

    assert dict(letter.headers)["__connect.errors.exception.class.name"] == b"schemas.codec.UnsupportedSchemaVersionError"


def test_a_bug_in_the_engine_costs_one_record_and_leaves_no_trace_in_the_state(kit: ModuleType, partition: Partition) -> None:
    partition.apply(kit.source_record(kit.event_bytes("a", 1), 0))
    partition.apply(kit.source_record(kit.event_bytes("a", 2, "Bug"), 1))
    partition.apply(kit.source_record(kit.event_bytes("b", 1, "Bug"), 2))
    partition.apply(kit.source_record(kit.event_bytes("a", 3), 3))
    batch = partition.batch()

    assert batch.changes == {"pod:a": b"2"}
    assert [dict(letter.headers)["__connect.errors.stage"] for letter in batch.dead_letters] == [b"correlation", b"correlation"]
    assert [output.log_fields["revision"] for output in batch.outputs] == [1, 2]


def test_memory_running_out_is_no_records_fault(kit: ModuleType) -> None:
    class Exhausted(kit.CountingEngine):  # type: ignore[name-defined,misc]
        def feed(self, _observation: object) -> list[object]:
            raise MemoryError

    partition = Partition(0, kit.FakeTable(kit.FakeKafka()), ProcessorSettings(), Exhausted, Counters())

    with pytest.raises(MemoryError):
        partition.apply(kit.source_record(kit.event_bytes("a"), 0))


def test_an_offset_that_was_applied_is_not_applied_again(kit: ModuleType, partition: Partition) -> None:
    partition.apply(kit.source_record(kit.event_bytes("a", 1), 5))
    partition.apply(kit.source_record(kit.event_bytes("a", 1), 5))
    partition.apply(kit.source_record(kit.event_bytes("a", 0), 4))

    assert partition.batch().changes == {"pod:a": b"1"}
    assert (partition.applied, partition.committed) == (5, -1)
