"""Whatever a worker dies of and whenever, the next one makes the output that an undisturbed one makes."""

import asyncio
import contextlib
from types import ModuleType

import pytest

from processor.app.settings import ProcessorSettings
from processor.app.state import head_key, state_key
from schemas.codec import decode_diagnosis


def _source(kit: ModuleType) -> list[bytes | None]:
    """Pods that come and go, clocks that touch them all, and records that cannot be processed."""
    event, clock = kit.event_bytes, kit.clock_bytes
    return [
        event("a", 1),
        event("b", 1),
        event("a", 2),
        clock(1),
        b"not an observation",
        event("c", 1),
        event("b", 2, "Bug"),
        event("b", 3, "Gone"),
        clock(2),
        event("b", 4),
        event("a", 3),
        clock(3),
    ]


def _outputs(kafka: object) -> list[tuple[bytes, bytes]]:
    return [(record.key, record.value) for record in kafka.records("podcause.diagnoses.v1")]  # type: ignore[attr-defined]


@pytest.fixture
def undisturbed(kit: ModuleType) -> list[tuple[bytes, bytes]]:
    kafka = kit.FakeKafka()
    asyncio.run(kit.Worker(kafka, _source(kit)).run())
    return _outputs(kafka)


def test_an_undisturbed_worker_sends_every_revision_once(undisturbed: list[tuple[bytes, bytes]]) -> None:
    made = [decode_diagnosis(value) for _, value in undisturbed]

    assert [(found.k8s.pod.name, found.diagnosis.revision, found.message) for found in made] == [
        ("a", 1, "after a/1"),
        ("b", 1, "after b/1"),
        ("a", 2, "after a/2"),
        ("a", 3, "after clock/1"),
        ("b", 2, "after clock/1"),
        ("c", 1, "after c/1"),
        ("a", 4, "after clock/2"),
        ("c", 2, "after clock/2"),
        ("b", 1, "after b/4"),
        ("a", 5, "after a/3"),
        ("a", 6, "after clock/3"),
        ("b", 2, "after clock/3"),
        ("c", 3, "after clock/3"),
    ]


@pytest.mark.parametrize("chunk_bytes", [512 * 1024, 100])
@pytest.mark.parametrize("batch", [1, 3, 12])
@pytest.mark.parametrize("dies_after", range(70))
def test_killed_after_any_send_the_set_of_outputs_is_the_undisturbed_ones(
    kit: ModuleType,
    undisturbed: list[tuple[bytes, bytes]],
    monkeypatch: pytest.MonkeyPatch,
    dies_after: int,
    batch: int,
    chunk_bytes: int,
) -> None:
    monkeypatch.setattr("processor.app.committing.CHUNK_BYTES", chunk_bytes)
    kafka = kit.FakeKafka(dies_after=dies_after)
    try:
        asyncio.run(kit.Worker(kafka, _source(kit)).run(batch=batch))
    except kit.Killed:
        # The next one may die as well, while it recovers or a little later; the third lives.
        kafka.dies_after = dies_after % 5
        with contextlib.suppress(kit.Killed):
            asyncio.run(kit.Worker(kafka, _source(kit)).run(batch=batch))
    kafka.dies_after = None
    asyncio.run(kit.Worker(kafka, _source(kit)).run(batch=batch))

    assert set(_outputs(kafka)) == set(undisturbed)


@pytest.mark.parametrize("dies_after", range(20))
def test_a_source_record_is_acknowledged_only_when_all_it_brought_about_is_logged(kit: ModuleType, dies_after: int) -> None:
    kafka = kit.FakeKafka(dies_after=dies_after)
    worker = kit.Worker(kafka, _source(kit))
    with pytest.raises(kit.Killed):
        asyncio.run(worker.run(batch=3))

    # Replayed from nothing up to the last acknowledged record, the outputs are among those that Kafka has.
    reference = kit.FakeKafka()
    asyncio.run(kit.Worker(reference, _source(kit)[: len(worker.acknowledged)]).run(batch=3))
    assert worker.acknowledged == list(range(len(worker.acknowledged)))
    assert set(_outputs(reference)) <= set(_outputs(kafka))


def test_a_replayed_partition_brings_nothing_about(kit: ModuleType) -> None:
    async def replay() -> None:
        processing = await worker.start()
        for offset, value in enumerate(source):
            await processing.handle(kit.source_record(value, offset), lambda: None, more=False)

    kafka, source = kit.FakeKafka(), _source(kit)
    worker = kit.Worker(kafka, source)
    asyncio.run(worker.run(batch=100))
    asyncio.run(replay())
    before = {topic: len(log) for topic, log in kafka.logs.items()}

    asyncio.run(replay())

    # Only what recovery does again by itself: the last commit, which was the only one here.
    sent = {topic: len(log) - before[topic] for topic, log in kafka.logs.items()}
    assert sent == {"podcause.diagnoses.v1": 13, "podcause.dead-letters.v1": 0, "changelog": 3}


def test_a_worker_that_left_in_good_order_leaves_nothing_to_be_done_again(kit: ModuleType) -> None:
    async def run_and_leave() -> None:
        processing = await kit.Worker(kafka, _source(kit)).run()
        await processing.suspend(settle=True)

    kafka = kit.FakeKafka()
    asyncio.run(run_and_leave())
    sent = len(_outputs(kafka))

    asyncio.run(kit.Worker(kafka, _source(kit)).start())

    assert len(_outputs(kafka)) == sent


def test_a_worker_that_lost_its_partitions_writes_nothing_more(kit: ModuleType) -> None:
    async def lose() -> None:
        processing = await kit.Worker(kafka, _source(kit)).run()
        sizes.update({topic: len(log) for topic, log in kafka.logs.items()})
        await processing.suspend(settle=False)
        await processing.handle(kit.source_record(kit.event_bytes("a", 9), 12), acknowledged.append, more=False)

    kafka, sizes, acknowledged = kit.FakeKafka(), {}, []
    asyncio.run(lose())

    assert {topic: len(log) for topic, log in kafka.logs.items()} == sizes
    assert acknowledged == []


def test_a_recovery_that_another_rebalance_overtook_processes_nothing(kit: ModuleType) -> None:
    async def recover() -> bool:
        processing = await kit.Worker(kit.FakeKafka(), []).start()
        recovered = await processing.recover({0: 0}, still_ours=lambda: False)
        assert processing.partitions == ()
        return bool(recovered)

    assert asyncio.run(recover()) is False


def test_a_source_topic_that_was_made_anew_is_read_from_its_start(kit: ModuleType) -> None:
    kafka = kit.FakeKafka()
    asyncio.run(kit.Worker(kafka, _source(kit)).run())

    processing = asyncio.run(kit.Worker(kafka, _source(kit)[:2]).start())

    assert processing.positions == {0: 0}


def test_keys_of_a_pod_that_is_gone_leave_the_table(kit: ModuleType) -> None:
    kafka = kit.FakeKafka()
    asyncio.run(kit.Worker(kafka, [kit.event_bytes("a"), kit.event_bytes("b"), kit.event_bytes("b", 2, "Gone")]).run(batch=2))

    assert set(kit.FakeTable(kafka).values) == {(0, state_key(0, "pod:a")), (0, head_key(0))}


def test_records_that_got_lost_on_their_way_are_asked_for_again(kit: ModuleType) -> None:
    async def lose_two() -> None:
        processing = await worker.start()
        for offset in (0, 3, 4):
            await processing.handle(kit.source_record(source[offset], offset), lambda: None, more=offset == 3)
        assert (worker.reader.paused, worker.reader.read_on_at) == ([0], [(0, 1)])
        for offset in range(1, 5):
            await processing.handle(kit.source_record(source[offset], offset), lambda: None, more=False)

    kafka, source = kit.FakeKafka(), [kit.event_bytes("a", number) for number in range(5)]
    worker = kit.Worker(kafka, source)
    asyncio.run(lose_two())
    reference = kit.FakeKafka()
    asyncio.run(kit.Worker(reference, source).run())

    assert _outputs(kafka) == _outputs(reference)


def test_records_that_are_not_in_kafka_are_passed_over(kit: ModuleType) -> None:
    async def skip() -> dict[int, int]:
        processing = await worker.start()
        for offset in (0, 7, 7):
            await processing.handle(kit.source_record(kit.event_bytes("a", offset), offset), lambda: None, more=False)
        return dict(processing.positions)

    worker = kit.Worker(kit.FakeKafka(), [None] * 8)

    assert asyncio.run(skip()) == {0: 8}
    assert worker.reader.read_on_at == [(0, 1)]


def test_a_record_that_kafka_refuses_as_a_dead_letter_leaves_its_reasons(kit: ModuleType) -> None:
    kafka = kit.FakeKafka(refuses_over=5_000)
    asyncio.run(kit.Worker(kafka, [b"x" * 6_000, kit.event_bytes("a")]).run())

    (letter,) = kafka.records("podcause.dead-letters.v1")
    assert letter.value is None
    assert dict(letter.headers)["podcause.value_dropped"] == b"6000"
    assert len(_outputs(kafka)) == 1


def test_a_full_batch_is_committed_although_more_is_waiting(kit: ModuleType) -> None:
    async def fill() -> int:
        processing = await worker.start()
        for offset in range(4):
            await processing.handle(
                kit.source_record(worker.source[offset], offset), lambda: worker.acknowledged.append(1), more=True
            )
        return len(worker.acknowledged)

    worker = kit.Worker(
        kit.FakeKafka(), [kit.event_bytes("a", number) for number in range(4)], ProcessorSettings(batch_max_records=3)
    )

    assert asyncio.run(fill()) == 3
