"""The cases of the rules: for every cause at least one that fires, one near miss, and one on the edge. One module per family."""

from typing import Final

from processor.rules.cases import creation, eviction, images, probes, readiness, refusals, restarts, starting
from processor.rules.cases.case import Case

CASES: Final[tuple[Case, ...]] = (
    *restarts.CASES,
    *refusals.CASES,
    *probes.CASES,
    *readiness.CASES,
    *images.CASES,
    *creation.CASES,
    *starting.CASES,
    *eviction.CASES,
)

__all__ = ["CASES", "Case"]
