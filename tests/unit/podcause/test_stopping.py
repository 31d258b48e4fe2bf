"""Signals: the first one ends, the second does not disturb, and a shielded step is finished first."""

import signal

import pytest

from podcause.stopping import Stopping, StopRequestedError


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_first_signal_ends_with_the_shells_exit_code(number: signal.Signals, exit_code: int) -> None:
    with pytest.raises(StopRequestedError) as raised, Stopping().listening():
        signal.raise_signal(number)
    assert raised.value.exit_code == exit_code


def test_a_second_signal_does_not_interrupt_the_end() -> None:
    done: list[str] = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGTERM)
            done.append("cleaned")

    with pytest.raises(StopRequestedError) as raised, Stopping().listening():
        work()
    assert (raised.value.exit_code, done) == (130, ["cleaned"])


def test_a_shielded_step_is_finished_first() -> None:
    stopping = Stopping()
    done: list[str] = []

    def work() -> None:
        with stopping.shield():
            signal.raise_signal(signal.SIGINT)
            done.append("step")
        done.append("more")

    with pytest.raises(StopRequestedError), stopping.listening():
        work()
    assert done == ["step"]


def test_the_handlers_from_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Stopping().listening():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
