"""One collector's turn: started on the full cluster, held against a paced writer, then frozen while as many writes come and thawed."""

import math
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.collector.contestants import Contestant, WriteId
from bench.collector.fleet import Fleet
from bench.collector.processes import Measured
from bench.collector.topics import Topic
from bench.collector.writing import Write

_READY_SECONDS: Final = 120.0
_SETTLE_SECONDS: Final = 30.0
_QUIET_SECONDS: Final = 20.0
_DRAIN_SECONDS: Final = 180.0
_WRITER_SECONDS: Final = 660.0
_write: Final = msgspec.json.Decoder(Write)


class MeasuringError(Exception):
    """The measurement is worth nothing: the collector never came to work, or the writer failed."""


class Load(msgspec.Struct, frozen=True):
    """What is written in each part; ``rate`` in events a second."""

    events: int
    rate: float
    burst: int


class Paced(msgspec.Struct, frozen=True):
    """The writer at its fixed rate."""

    writes: int
    written_per_second: float
    events_per_second: float
    """From the first write to the last record."""

    cpu_seconds_per_10000: float
    lost: int
    repeats: int
    p50_ms: float
    p99_ms: float


class Drained(msgspec.Struct, frozen=True):
    """The same after standing still while the writer wrote as fast as the API server took it."""

    writes: int
    written_per_second: float
    events_per_second: float
    """From the collector's waking to the last record: as fast as it can."""

    cpu_seconds_per_10000: float
    lost: int


class Result(msgspec.Struct, frozen=True):
    """One collector's numbers."""

    title: str
    start_seconds: float
    """From its start to the first new event and the first new pod on the topic."""

    start_cpu_seconds: float
    start_peak_mib: float
    paced: Paced
    drained: Drained | None
    peak_mib: float
    resident_mib: float
    bytes_per_record: float
    log_lines: int


def measure(contestant: Contestant, fleet: Fleet, load: Load, bootstrap: str, folder: Path) -> Result:
    """Its turn, about three minutes. Raises MeasuringError and ProcessError."""
    process = Measured(contestant.command, contestant.environment, folder / f"{contestant.topic}.log")
    with process:
        began = time.monotonic()
        topic = _topic(contestant, bootstrap, process)
        try:
            _wait_ready(topic, process, fleet, folder)
            start_seconds = time.monotonic() - began
            process.settle(_SETTLE_SECONDS)
            start_cpu, start_peak = process.cpu_seconds(), process.peak_mib()
            paced = _paced(topic, process, fleet, load, folder)
            drained = _drained(topic, process, fleet, load, folder) if load.burst else None
            return Result(
                title=contestant.title,
                start_seconds=start_seconds,
                start_cpu_seconds=start_cpu,
                start_peak_mib=start_peak,
                paced=paced,
                drained=drained,
                peak_mib=process.peak_mib(),
                resident_mib=process.resident_mib(),
                bytes_per_record=topic.record_bytes / max(1, topic.records),
                log_lines=process.log_lines(),
            )
        finally:
            topic.close()


def _topic(contestant: Contestant, bootstrap: str, process: Measured) -> Topic:
    process.check()
    return Topic(bootstrap, contestant.topic, contestant.write_of)


def _wait_ready(topic: Topic, process: Measured, fleet: Fleet, folder: Path) -> None:
    """Write an event and a pod every now and then until one of each is on the topic: a watch that begins with now tells no first."""
    deadline = time.monotonic() + _READY_SECONDS
    events: set[WriteId] = set()
    pods: set[str] = set()
    while not (events & topic.appended.keys() and topic.tells_of(pods)):
        process.check()
        if time.monotonic() > deadline:
            raise MeasuringError("no event, or no pod, reached the topic")
        wanted = _ids(_written(fleet, 1, 0, folder)).keys()
        events |= wanted
        pods.add(fleet.add_pod())
        topic.read_until(wanted, quiet_seconds=1.0, at_most_seconds=2.0)


def _paced(topic: Topic, process: Measured, fleet: Fleet, load: Load, folder: Path) -> Paced:
    used, repeats = process.cpu_seconds(), topic.repeats
    writes = _written(fleet, load.events, load.rate, folder)
    ids = _ids(writes)
    topic.read_until(ids, quiet_seconds=_QUIET_SECONDS, at_most_seconds=_DRAIN_SECONDS)
    used = process.cpu_seconds() - used
    first = min(one.sent_ms for one in writes)
    come = {write: topic.appended[write] for write in ids if write in topic.appended}
    latencies = sorted(come[write] - sent for write, sent in ids.items() if write in come)
    return Paced(
        writes=len(writes),
        written_per_second=_rate(len(writes), max(one.sent_ms for one in writes) - first),
        events_per_second=_rate(len(come), max(come.values(), default=first) - first),
        cpu_seconds_per_10000=used * 10_000 / max(1, len(writes)),
        lost=len(ids) - len(come),
        repeats=topic.repeats - repeats,
        p50_ms=_percentile(latencies, 0.5),
        p99_ms=_percentile(latencies, 0.99),
    )


def _drained(topic: Topic, process: Measured, fleet: Fleet, load: Load, folder: Path) -> Drained:
    used = process.cpu_seconds()
    process.freeze()
    try:
        writes = _written(fleet, load.burst, 0, folder)
    finally:
        process.thaw()
    thawed_ms = time.time_ns() / 1e6
    ids = _ids(writes)
    # As little as possible is read while it works: the reader takes from the same cores.
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline:
        before = process.cpu_seconds()
        time.sleep(1.0)
        if process.cpu_seconds() - before < 0.1:
            break
    topic.read_until(ids, quiet_seconds=_QUIET_SECONDS, at_most_seconds=_DRAIN_SECONDS)
    come = [topic.appended[write] for write in ids if write in topic.appended]
    first = min(one.sent_ms for one in writes)
    return Drained(
        writes=len(writes),
        written_per_second=_rate(len(writes), max(one.sent_ms for one in writes) - first),
        events_per_second=_rate(len(come), max(come, default=thawed_ms) - thawed_ms),
        cpu_seconds_per_10000=(process.cpu_seconds() - used) * 10_000 / max(1, len(writes)),
        lost=len(ids) - len(come),
    )


def _written(fleet: Fleet, events: int, rate: float, folder: Path) -> Sequence[Write]:
    output = folder / "writes.jsonl"
    command = [sys.executable, "-m", "bench.collector.writing", "--namespace", fleet.namespace, "--pods", str(fleet.pods)]
    command += ["--events", str(events), "--rate", str(rate), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_WRITER_SECONDS, check=False)  # noqa: S603 - our own
    if done.returncode != 0:
        raise MeasuringError(f"the writer failed: {done.stderr[-1000:]}")
    writes = [_write.decode(line) for line in output.read_bytes().splitlines()]
    if len(writes) < events * 0.9:
        raise MeasuringError(f"the API server took {len(writes)} of {events} writes only")
    return writes


def _ids(writes: Sequence[Write]) -> dict[WriteId, float]:
    return {(one.uid, one.resource_version): one.sent_ms for one in writes}


def _rate(count: int, milliseconds: float) -> float:
    return count / (milliseconds / 1000) if milliseconds > 0 else 0.0


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
