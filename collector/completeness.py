"""Up to which time one watch is known to have brought everything. Pure: every time is an argument, in Unix milliseconds.

A line that came proves everything before it. A silent connection proves what is older than the time in which a dead peer is
noticed (`collector.api.DEAD_PEER_SECONDS`). While nothing is connected, while a list runs, and while a backlog arrives after
a reconnection, nothing new is proved. It must not look at a clock, and never goes back.
"""

import threading
from typing import Final

#: A reader that had to wait this long had read everything that was there: the backlog after a reconnection is through.
_SETTLED_AFTER_MS: Final = 250


class Completeness:
    """One watch's. The reader tells what it does, another thread asks."""

    __slots__ = ("_complete_ms", "_dead_peer_ms", "_lock", "_received_ms", "_settled", "_waiting_since_ms")

    def __init__(self, dead_peer_seconds: float) -> None:
        self._dead_peer_ms = int(dead_peer_seconds * 1000)
        self._lock = threading.Lock()
        self._complete_ms: int | None = None
        self._received_ms: int | None = None
        self._waiting_since_ms: int | None = None
        self._settled = False

    def interrupted(self) -> None:
        """No watch is open any more."""
        with self._lock:
            self._settled = False
            self._received_ms = self._waiting_since_ms = None

    def waiting(self, now_ms: int) -> None:
        """What was received is handed over; the reader waits for more."""
        with self._lock:
            if self._settled and self._received_ms is not None:
                self._advance(self._received_ms)
            self._waiting_since_ms = now_ms

    def received(self, now_ms: int) -> None:
        """A line came, and is not handed over yet."""
        with self._lock:
            if self._waiting_since_ms is not None and now_ms - self._waiting_since_ms >= _SETTLED_AFTER_MS:
                self._settled = True
            self._waiting_since_ms = None
            self._received_ms = now_ms

    def known(self, until_ms: int) -> None:
        """A list, or the last run's resume point, proves everything before this time."""
        with self._lock:
            self._advance(until_ms)

    def until(self, now_ms: int) -> int | None:
        """Everything up to then was received and handed over; None when nothing is known yet."""
        with self._lock:
            silent_until = now_ms - self._dead_peer_ms
            if self._waiting_since_ms is not None and self._waiting_since_ms <= silent_until:
                self._settled = True
                self._advance(silent_until)
            return self._complete_ms

    def _advance(self, until_ms: int) -> None:
        if self._complete_ms is None or until_ms > self._complete_ms:
            self._complete_ms = until_ms
