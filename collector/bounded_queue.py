"""A queue with a bound in entries and in bytes: who puts waits, so that a slow consumer slows the sources and memory stays flat."""

import threading
import time
from collections import deque
from typing import Generic, TypeVar

_Entry = TypeVar("_Entry")


class BoundedQueue(Generic[_Entry]):
    """Many producers, one consumer. Each entry gets a number, counted from 1, in the order of arrival."""

    def __init__(self, *, entries: int, size_bytes: int) -> None:
        self._max_entries, self._max_bytes = entries, size_bytes
        self._entries: deque[tuple[int, _Entry, int]] = deque()
        self._bytes = 0
        self._last = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, entry: _Entry, size_bytes: int = 0) -> bool:
        """Wait for room, then append; False when the queue is closed. One entry over the bound passes when it is alone."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(size_bytes))
            if self._closed:
                return False
            self._last += 1
            self._entries.append((self._last, entry, size_bytes))
            self._bytes += size_bytes
            self._changed.notify_all()
            return True

    def get(self, timeout_seconds: float) -> tuple[int, _Entry] | None:
        """The oldest entry with its number; None when there is none within the time."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while not self._entries:
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    return None
                self._changed.wait(left)
            number, entry, size = self._entries.popleft()
            self._bytes -= size
            self._changed.notify_all()
            return number, entry

    @property
    def last_number(self) -> int:
        """The number of the newest entry that was ever put."""
        with self._changed:
            return self._last

    def __len__(self) -> int:
        return len(self._entries)

    def close(self) -> None:
        """Release whoever waits; nothing is taken any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self, size_bytes: int) -> bool:
        return not self._entries or (len(self._entries) < self._max_entries and self._bytes + size_bytes <= self._max_bytes)
