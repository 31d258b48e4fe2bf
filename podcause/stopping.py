"""Signals as one orderly end: the first raises where the program is, further ones are passed over, and some steps are shielded.

It must not know what is ended. A step that starts a process is shielded: interrupted in its middle, nobody would know the process.
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestedError(BaseException):
    """A signal asked for the end: no error, and nothing between may catch it. ``exit_code`` is the shells' convention."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class Stopping:
    """Takes SIGINT, SIGTERM and SIGHUP while it is entered."""

    def __init__(self) -> None:
        self._shields = 0
        self._pending: int | None = None
        self._raised = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Raise StopRequestedError on the first signal."""
        before = {one: signal.signal(one, self._handle) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    @contextlib.contextmanager
    def shield(self) -> Iterator[None]:
        """Hold a signal back until this short step is done. Raises StopRequestedError then."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        self._raise_pending()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._raised:
            return  # the end is under way: a second Ctrl-C must not interrupt it
        self._pending = self._pending or number
        self._raise_pending()

    def _raise_pending(self) -> None:
        if self._pending is not None and self._shields == 0 and not self._raised:
            self._raised = True
            raise StopRequestedError(self._pending)
