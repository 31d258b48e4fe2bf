"""Events that wait a moment for their pod: its watch may be behind, and the pod may say that it is to be kept out.

Order is kept, time is an argument, and the wait is bounded in time and in number. It publishes nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from collector.raw_values import mapping, short_text
from collector.watch_items import Change, Item

_HELD_MAX: Final = 1_000
_POD_LAG_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """One item of an events watch, decoded, with its number in the queue."""

    number: int
    feed: str
    item: Item
    raw: Any


class HeldEvents:
    """Those that wait, first in first out. ``knows`` says whether a pod (namespace, name) was seen."""

    def __init__(self, knows: Callable[[str, str], bool]) -> None:
        self._knows = knows
        self._held: deque[HeldEvent] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, held: HeldEvent) -> None:
        """Append one."""
        self._held.append(held)

    def let_go(self, now_ms: int) -> Iterator[HeldEvent]:
        """Those whose wait is over; each counts as handed over when the next one is asked for."""
        while self._held and (len(self._held) > _HELD_MAX or self._may_go(self._held[0], now_ms)):
            yield self._held[0]
            self._held.popleft()

    def handed_over(self, taken: int) -> int:
        """Everything up to this number is handed over, when everything up to ``taken`` was taken from the queue."""
        return self._held[0].number - 1 if self._held else taken

    def _may_go(self, held: HeldEvent, now_ms: int) -> bool:
        item = held.item
        if not isinstance(item, Change) or item.type in ("LISTED", "DELETED"):
            return True
        involved = mapping(mapping(held.raw).get("involvedObject"))
        namespace, name = short_text(involved.get("namespace")), short_text(involved.get("name"))
        return self._knows(namespace or "default", name or "") or now_ms - item.received_ms >= _POD_LAG_MS
