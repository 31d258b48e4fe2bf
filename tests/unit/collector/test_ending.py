"""The end, and the loss of leadership, while Kafka takes nothing: neither waits for Kafka, and nothing is sent afterwards."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from kafka.errors import KafkaTimeoutError

from collector import live
from collector.checkpointing import Checkpoint
from collector.live import LiveCollector, LiveSettings
from collector.publishing import AbandonedError, Ending, Publisher, PublishError
from collector.settings import CollectorSettings
from collector.translating import Translator
from schemas.kafka_settings import KafkaSettings
from schemas.observation import ClockObservation, Cluster

_CLUSTER = Cluster(name="one", uid="uid-1")
_KAFKA = KafkaSettings(bootstrap_servers=("kafka:9092",))


class _Sender:
    def __init__(self) -> None:
        self.closed_at: float | None = None

    def force_close(self) -> None:
        self.closed_at = time.monotonic()


class _Future:
    def add_callback(self, *_: object) -> None:
        """Never acknowledged."""

    def add_errback(self, *_: object) -> None:
        """Never given up."""


class _SilentProducer:
    """A Kafka that takes everything and acknowledges nothing."""

    def __init__(self, **_: object) -> None:
        self._sender = _Sender()
        self.sent = 0

    def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    def send(self, *_: object, **__: object) -> _Future:
        assert self._sender.closed_at is None
        self.sent += 1
        return _Future()

    def flush(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._sender.closed_at is not None:
                return
            time.sleep(0.01)
        raise KafkaTimeoutError

    def close(self, timeout: float) -> None:
        """Nothing to close."""


@pytest.fixture(autouse=True)
def _silent_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.publishing.KafkaProducer", _SilentProducer)


def _clock() -> ClockObservation:
    return Translator(_CLUSTER).clock("2026-11-22T16:00:00.000Z")


def _full(ending: Ending | None = None) -> Publisher:
    publisher = Publisher(_KAFKA, "podcause", max_unacknowledged=1, timeout_seconds=30, ending=ending)
    publisher.publish(_clock())
    return publisher


def _seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def test_whoever_waits_in_publish_ends_with_the_grace_time() -> None:
    stop = threading.Event()
    publisher = _full(Ending(stop, 0.5))
    threading.Timer(0.2, stop.set).start()

    def publish() -> None:
        with pytest.raises(PublishError, match="unacknowledged for too long"):
            publisher.publish(_clock())

    assert 0.5 < _seconds(publish) < 2
    assert publisher.acknowledged_through == 0


def test_a_flush_takes_the_grace_time_once() -> None:
    stop = threading.Event()
    stop.set()
    publisher = _full(Ending(stop, 0.5))

    def flush() -> None:
        for _ in range(3):
            with pytest.raises(PublishError):
                publisher.flush(10)

    assert _seconds(flush) < 1


def test_whoever_waits_in_publish_hears_at_once_that_another_leads() -> None:
    publisher = _full()
    threading.Timer(0.2, publisher.cut).start()

    def publish() -> None:
        with pytest.raises(AbandonedError):
            publisher.publish(_clock())

    assert _seconds(publish) < 1
    with pytest.raises(AbandonedError):
        publisher.has_room()
    assert publisher._producer.sent == 1
    assert publisher._producer._sender.closed_at is not None


class _Collector(LiveCollector):
    def cluster(self) -> Cluster:
        return _CLUSTER


class _Session:
    """Publishes until it may not."""

    worked = True
    publishers: ClassVar[list[Publisher]] = []

    def __init__(self, _api: object, publisher: Publisher, *_: object) -> None:
        self._publisher = publisher
        self.publishers.append(publisher)

    def run(self, *_: object) -> None:
        for _one in range(10_000):
            self._publisher.publish(_clock())


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> _Collector:
    monkeypatch.setattr(live, "ensure_topics", lambda *_, **__: None)
    monkeypatch.setattr(live, "read_checkpoint", lambda *_: Checkpoint())
    monkeypatch.setattr(live, "Session", _Session)
    monkeypatch.setattr(_Session, "publishers", [])
    api: Any = None
    return _Collector(api, _KAFKA, LiveSettings(CollectorSettings(cluster_name="one"), grace_seconds=1.0))


def _eventually(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_full() -> bool:
    return bool(_Session.publishers) and _Session.publishers[-1].unacknowledged == 5_000


def test_the_collector_ends_within_the_grace_time_when_kafka_takes_nothing(collector: _Collector) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(collector.run, stop)
        _eventually(_is_full)
        stop.set()
        running.result(timeout=1.5)


def test_a_former_leader_gives_up_at_once_what_kafka_has_not_taken(collector: _Collector) -> None:
    stop, leading = threading.Event(), threading.Event()
    leading.set()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(collector.run, stop, leading.is_set)
        _eventually(_is_full)
        leading.clear()
        assert _seconds(lambda: collector.leadership_changed(False)) < 0.1  # noqa: FBT003 - as electors do
        (publisher,) = _Session.publishers
        assert publisher._producer._sender.closed_at is not None
        leading.set()
        _eventually(lambda: len(_Session.publishers) == 2)  # leading again, it begins anew, without a pause
        stop.set()
        running.result(timeout=2)


@pytest.mark.parametrize("ends", ["stop", "leadership"])
def test_a_kafka_client_that_hangs_delays_neither(collector: _Collector, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    stop, leading, hanging, go_on = (threading.Event() for _ in range(4))
    leading.set()

    def hang(*_: object) -> Checkpoint:
        hanging.set()
        go_on.wait(30)
        return Checkpoint()

    monkeypatch.setattr(live, "read_checkpoint", hang)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(collector.run, stop, leading.is_set)
        assert hanging.wait(5)
        if ends == "stop":
            stop.set()
        else:
            leading.clear()
            time.sleep(0.5)
            stop.set()
        running.result(timeout=1.5)
    go_on.set()
    assert _Session.publishers == []
