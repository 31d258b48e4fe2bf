"""Observations at the pace of their time, with a clock of the test's own."""

from collector.pacing import paced
from collector.translating import Translator
from schemas.observation import Cluster

CLOCKS = [Translator(Cluster(name="c", uid="u")).clock(f"2026-01-01T00:00:{second:02}.000Z") for second in (10, 10, 15, 30)]


class _Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds


def test_real_time() -> None:
    time = _Time()
    assert list(paced(CLOCKS, 1, now=lambda: time.now, wait=time.wait)) == CLOCKS
    assert time.waited == [5.0, 15.0]


def test_ten_times_as_fast() -> None:
    time = _Time()
    list(paced(CLOCKS, 10, now=lambda: time.now, wait=time.wait))
    assert [round(seconds, 6) for seconds in time.waited] == [0.5, 1.5]


def test_who_is_late_does_not_wait_and_catches_up() -> None:
    time = _Time()
    for _ in paced(CLOCKS, 1, now=lambda: time.now, wait=time.wait):
        time.now += 4
    assert time.waited == [8.0]


def test_as_fast_as_possible() -> None:
    time = _Time()
    assert list(paced(CLOCKS, None, now=lambda: time.now, wait=time.wait)) == CLOCKS
    assert time.waited == []
