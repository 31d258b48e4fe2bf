"""How far a session has come: resume points, clocks and gaps, derived from what has been handed over in order. No thread, no clock.

A clock may follow only what was received before the moment for which it speaks; a resume point only covers whole lists. It
publishes nothing itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from collector.checkpointing import Checkpoint, Position
from collector.completeness import Completeness
from collector.stats import CollectorStats
from collector.translating import Translator
from collector.watch_items import Item, ListEnd, ListStart
from schemas.observation import ClockObservation, GapObservation
from schemas.timestamps import format_ms, parse_ms

_EXPIRED: Final = "the API server no longer had what happened since the last resume point"


@dataclass(frozen=True, slots=True)
class Watched:
    """One watch: the resource that gaps name, and how complete it is."""

    resource: str
    completeness: Completeness


class Progress:
    """One session's. Watches are told by name; ``found`` is where the last session came to."""

    def __init__(
        self, watched: Mapping[str, Watched], found: Checkpoint, translator: Translator, stats: CollectorStats
    ) -> None:
        self._watched = watched
        self._translator = translator
        self._stats = stats
        self._versions = {name: one.resource_version for name, one in found.positions.items() if name in watched}
        self._times = {name: parse_ms(one.time) for name, one in found.positions.items() if name in watched}
        for name, time_ms in self._times.items():
            watched[name].completeness.known(time_ms)
        self._listing: set[str] = set()
        self._told_gaps: set[str] = set()
        self._due: tuple[int, int] | None = None
        self._last_clock_ms = max(self._times.values(), default=0)

    @property
    def resumed_at_ms(self) -> int | None:
        """The oldest of the resume points; None when a watch has none."""
        return min(self._times.values()) if self._times and len(self._times) == len(self._watched) else None

    def version(self, name: str) -> str | None:
        """Where the watch resumes."""
        return self._versions.get(name)

    def list_started(self, name: str, item: ListStart) -> GapObservation | None:
        """A list begins; a gap when it had to, and something may have come and gone since the watch was last complete."""
        self._listing.add(name)
        watched = self._watched[name]
        since_ms = watched.completeness.until(item.started_ms)
        if not item.forced or since_ms is None or since_ms >= item.started_ms:
            return None
        gap = self._translator.gap(watched.resource, format_ms(since_ms), format_ms(item.started_ms), _EXPIRED)
        if gap.id in self._told_gaps:  # the list begins again
            return None
        self._told_gaps = {gap.id}
        self._stats.gap(watched.resource)
        return gap

    def reached(self, name: str, item: Item) -> None:
        """The item is handed over: the watch can resume after it, unless it is in the middle of a list."""
        if isinstance(item, ListStart):
            return
        if isinstance(item, ListEnd):
            self._listing.discard(name)
            self._times[name] = max(self._times.get(name, 0), 0 if item.known else item.started_ms)
        if name not in self._listing and item.resource_version:
            self._versions[name] = item.resource_version

    def look(self, now_ms: int) -> None:
        """Tell the metrics how complete each watch is."""
        worst: dict[str, int | None] = {}
        for watched in self._watched.values():
            until = watched.completeness.until(now_ms)
            before = worst.get(watched.resource, until)
            worst[watched.resource] = None if until is None or before is None else min(until, before)
        for resource, until in worst.items():
            self._stats.complete(resource, until)

    def make_clock_due(self, now_ms: int, newest: int) -> bool:
        """A clock is due once everything up to number ``newest`` is handed over; False when nothing new is complete."""
        if self._due is not None:
            return False
        known = [watched.completeness.until(now_ms) for watched in self._watched.values()]
        complete = [until for until in known if until is not None]
        if len(complete) < len(known) or min(complete) <= self._last_clock_ms:
            return False
        self._due = (min(complete), newest)
        return True

    def clock(self, handed_over: int) -> ClockObservation | None:
        """The clock that is due, when everything up to its number is handed over."""
        if self._due is None or handed_over < self._due[1]:
            return None
        (self._last_clock_ms, _), self._due = self._due, None
        for name in self._times:
            self._times[name] = max(self._times[name], self._last_clock_ms)
        self._stats.clock_published(self._last_clock_ms)
        return self._translator.clock(format_ms(self._last_clock_ms))

    def positions(self) -> Iterator[Position]:
        """Where each watch can resume: everything before is handed over."""
        for name, version in self._versions.items():
            if name in self._times:
                yield Position(
                    cluster=self._translator.cluster,
                    resource=name,
                    resource_version=version,
                    time=format_ms(self._times[name]),
                )
