"""What holds for every stream, drawn by Hypothesis over the shipped recordings: repeats, interleavings, restarts, order, bounds."""

import random
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import podcause
from collector.replaying import replay
from processor.engine import Engine, MemoryStore
from processor.rules.cases import CASES, Case
from processor.rules.cases.case import APP, POD, at, clock, end, ended_before, event, log, pod, running, waiting, with_clocks
from schemas.codec import UndecodableRecordError, decode_observation, encode
from schemas.diagnosis import Diagnosis
from schemas.observation import (
    ClockObservation,
    EventObservation,
    LogObservation,
    Observation,
    PodDeletedObservation,
    PodObservation,
)
from schemas.timestamps import format_ms, parse_ms

RECORDINGS = sorted((Path(podcause.__file__).parent / "data" / "recordings").glob("*.jsonl.gz"))
NAMES = [path.name.removesuffix(".jsonl.gz") for path in RECORDINGS]
GRACE_MS = 60_000
#: A pod that is gone is forgotten after the window: what comes again later than that is not known as a repeat.
REPEATED_WITHIN_MS = 900_000

examples = settings(
    derandomize=True, deadline=None, database=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow]
)
each_recording = pytest.mark.parametrize("path", RECORDINGS, ids=NAMES)


@cache
def recorded(path: Path) -> tuple[Observation, ...]:
    return tuple(replay([path]))


def said(observations: Iterable[Observation]) -> list[Diagnosis]:
    engine = Engine(MemoryStore())
    return [revision for observation in observations for revision in engine.feed(observation)]


@cache
def said_by(path: Path) -> tuple[bytes, ...]:
    return tuple(map(encode, said(recorded(path))))


def pod_of(observation: Observation) -> str | None:
    if isinstance(observation, EventObservation):
        return observation.event.involved_object.name
    if isinstance(observation, LogObservation):
        return observation.log.pod_name
    if isinstance(observation, PodObservation | PodDeletedObservation):
        return observation.pod.name
    return None


def last_words(revisions: Iterable[Diagnosis]) -> dict[tuple[str, str | None, str], tuple[str, str, str]]:
    """The last id, state and cause of each pod UID, container and problem."""
    last = {}
    for revision in revisions:
        body, container = revision.diagnosis, revision.k8s.container
        key = (revision.k8s.pod.uid or revision.k8s.pod.name, container.name if container else None, body.problem)
        last[key] = (body.id, body.state, body.cause.id)
    return last


# --- repeats -------------------------------------------------------------------------------------------------------------------


@each_recording
@examples
@given(seed=st.integers(0, 2**32))
def test_repeats_change_nothing(path: Path, seed: int) -> None:
    drawn = random.Random(seed)
    sent: list[Observation] = []
    recent: list[Observation] = []
    for observation in recorded(path):
        sent.append(observation)
        now_ms = parse_ms(observation.observed_at)
        recent = [item for item in recent if now_ms - parse_ms(item.observed_at) <= REPEATED_WITHIN_MS] + [observation]
        if drawn.random() < 0.3:
            again = drawn.choice(recent)
            newer = drawn.random() < 0.5 and not isinstance(again, ClockObservation)
            sent.append(replace(again, observed_at=observation.observed_at) if newer else again)
    assert tuple(map(encode, said(sent))) == said_by(path)


# --- pods and restarts ---------------------------------------------------------------------------------------------------------


@each_recording
def test_other_pods_change_nothing(path: Path) -> None:
    stream = recorded(path)
    names = {name for name in map(pod_of, stream) if name is not None}
    alone = {name: list(map(encode, said(item for item in stream if pod_of(item) in (name, None)))) for name in names}
    together: dict[str, list[bytes]] = {name: [] for name in names}
    for revision in said(stream):
        together[revision.k8s.pod.name].append(encode(revision))
    assert alone == together


@each_recording
@examples
@given(seed=st.integers(0, 2**32))
def test_the_order_of_different_pods_changes_nothing(path: Path, seed: int) -> None:
    drawn = random.Random(seed)
    stream: list[Observation] = []
    segment: list[Observation] = []
    for observation in (*recorded(path), None):
        if observation is None or isinstance(observation, ClockObservation):
            rank = {name: drawn.random() for name in map(pod_of, segment)}
            stream.extend(sorted(segment, key=lambda item, rank=rank: rank[pod_of(item)]))  # type: ignore[misc]
            segment = []
            if observation is not None:
                stream.append(observation)
        else:
            segment.append(observation)

    def by_pod(revisions: Iterable[Diagnosis]) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        for revision in revisions:
            found.setdefault(revision.k8s.pod.name, []).append(encode(revision))
        return found

    assert by_pod(said(stream)) == by_pod(said(recorded(path)))


@each_recording
def test_a_restart_between_any_two_steps_changes_nothing(path: Path) -> None:
    store = MemoryStore()
    revisions = []
    for observation in recorded(path):
        revisions.extend(Engine(store).feed(observation))
    assert tuple(map(encode, revisions)) == said_by(path)


# --- order of the two watches --------------------------------------------------------------------------------------------------


def delayed(stream: Sequence[Observation], drawn: random.Random, watch: tuple[type, ...]) -> list[Observation]:
    """The stream with one watch's observations received up to the grace time later, in their own order."""
    arrivals: list[tuple[int, int, Observation]] = []
    last_ms, until_ms, delay_ms = 0, 0, 0
    for number, observation in enumerate(stream):
        received_ms = parse_ms(observation.observed_at)
        if isinstance(observation, watch):
            if received_ms >= until_ms:
                until_ms = received_ms + drawn.randrange(1000, 120_000)
                delay_ms = drawn.choice((0, 500, drawn.randrange(GRACE_MS), GRACE_MS - 1))
            received_ms = last_ms = max(last_ms, received_ms + delay_ms)
            observation = replace(observation, observed_at=format_ms(received_ms))  # noqa: PLW2901 - the delayed one
        arrivals.append((received_ms, number, observation))
    return [observation for _, _, observation in sorted(arrivals, key=lambda item: item[:2])]


@each_recording
@pytest.mark.parametrize(
    "watch", [(EventObservation,), (PodObservation, PodDeletedObservation), (LogObservation,)], ids=["events", "pods", "logs"]
)
@examples
@given(seed=st.integers(0, 2**32))
def test_the_order_of_the_watches_within_the_grace_time_changes_no_last_word(
    path: Path, watch: tuple[type, ...], seed: int
) -> None:
    stream = recorded(path)
    assert last_words(said(delayed(stream, random.Random(seed), watch))) == last_words(said(stream))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.kind == "fires"], ids=lambda case: f"{case.cause}: {case.name}"
)
@settings(examples, max_examples=4)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_the_watches_changes_no_cause_of_a_case(case: Case, seed: int) -> None:
    """Whether the last open revision is the first or an update may depend on the order; what it says may not."""

    def told(given_order: Sequence[Observation]) -> dict[Any, tuple[str, bool, str]]:
        words = last_words(said(with_clocks(given_order, case.until + 62)))
        return {key: (body_id, state == "resolved", cause) for key, (body_id, state, cause) in words.items()}

    for watch in ((EventObservation,), (PodObservation, PodDeletedObservation), (LogObservation,)):
        assert told(delayed(case.given, random.Random(seed), watch)) == told(case.given)


# --- bounds --------------------------------------------------------------------------------------------------------------------

#: At most this many bytes are kept of one pod key, whatever arrives.
BOUND = 1024 * 1024
REASONS = ("Unhealthy", "BackOff", "Failed", "Killing", "Evicted", "FailedMount", "FailedScheduling", "Started")


def flood(drawn: random.Random, number: int) -> Observation:
    """Something large about one pod name: another UID, container, text or state each time."""
    like = replace(POD, uid=f"uid-{drawn.randrange(12)}")
    name = f"c{drawn.randrange(2000)}"
    text = drawn.choice(("x", "é", "secret", "not found ")) * drawn.randrange(1, 3000)
    container = replace(APP, name=name, image=f"shop/{name}:1")
    kind = drawn.randrange(6)
    if kind == 0:
        return event(number, drawn.choice(REASONS), f'Error: secret "{number}" not found {text}', name, like=like)
    if kind == 1:
        return event(number, "Failed", f'Failed to pull image "{name}": not found {number}', name, like=like)
    if kind == 2:
        crashed = running(ended_before(container, end(drawn.randrange(256), number - 5, number, message=text)), number)
        return pod(number, crashed, like=like)
    if kind == 3:
        return pod(
            number, *(waiting(replace(APP, name=f"{name}-{i}"), "ErrImagePull", "not found") for i in range(90)), like=like
        )
    if kind == 4:
        said_in_log = log(number, text, name)
        return replace(said_in_log, log=replace(said_in_log.log, pod_uid=like.uid))
    return clock(number)


@examples
@given(seed=st.integers(0, 2**32))
def test_what_is_kept_of_a_pod_is_bounded(seed: int) -> None:
    drawn = random.Random(seed)
    store = MemoryStore()
    engine = Engine(store)
    largest = 0
    for number in range(1, 400):
        engine.feed(flood(drawn, number))
        largest = max(largest, *(len(value) for _, value in store.items()))
    assert largest <= BOUND


@pytest.mark.parametrize(
    "told",
    [
        lambda number: event(number, "Failed", f'Error: secret "{number}" not found', f"c{number}"),
        lambda number: event(number, "Evicted", f"Container c{number} was using 2Gi, request is 1Gi. ", None),
        lambda number: pod(number, waiting(replace(APP, name=f"c{number}"), "CreateContainerConfigError", "secret not found")),
        lambda number: event(number, "Failed", f'Error: secret "{number}" not found', like=replace(POD, uid=f"uid-{number}")),
    ],
    ids=["events of other containers", "evictions that name other containers", "states of other containers", "other UIDs"],
)
def test_names_without_end_are_bounded(told: Callable[[int], Observation]) -> None:
    store = MemoryStore()
    engine = Engine(store)
    for number in range(1, 1500):
        engine.feed(told(number))
    assert max(len(value) for _, value in store.items()) <= BOUND


def test_a_pod_that_is_gone_is_forgotten() -> None:
    store = MemoryStore()
    engine = Engine(store)
    stream: list[Any] = [pod(1, running(APP, 1)), clock(2)]
    for observation in stream:
        engine.feed(observation)
    gone = replace(pod(5, running(APP, 1)), observed_at=at(5))
    engine.feed(PodDeletedObservation(**{name: getattr(gone, name) for name in gone.__struct_fields__}))
    engine.feed(clock(1204))
    assert [key for key, _ in store.items() if "\x00" not in key] == ["case/shop/web-1"]
    engine.feed(clock(1205))
    assert [key for key, _ in store.items() if "\x00" not in key] == []


@pytest.mark.parametrize("number", [2**53, 2**64, -(2**63) - 1])
def test_an_integer_that_no_record_may_hold_is_refused(number: int) -> None:
    value = encode(replace(event(1, "BackOff", "Back-off restarting failed container"), schema_version="1.0.0"))
    with pytest.raises(UndecodableRecordError):
        decode_observation(value.replace(b'"count":1', f'"count":{number}'.encode()))
