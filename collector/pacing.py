"""A stream of observations, let through at the pace at which they were observed, or a multiple of it.

Clock and waiting are arguments. It must not change, drop or reorder anything.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from schemas.observation import Observation
from schemas.timestamps import parse_ms


def paced(
    observations: Iterable[Observation],
    speed: float | None,
    *,
    now: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Observation]:
    """Each observation not before its time, seen from the first one. ``speed`` 1 is real time, None as fast as possible."""
    started: float | None = None
    first_ms = 0
    for observation in observations:
        if speed is not None:
            observed_ms = parse_ms(observation.observed_at)
            if started is None:
                started, first_ms = now(), observed_ms
            due = started + (observed_ms - first_ms) / 1000 / speed
            remaining = due - now()
            if remaining > 0:
                wait(remaining)
        yield observation
