"""Timelines: push what a collector saw, let the clock go on, and compare every revision that comes of it."""

import pytest

from processor.engine import Engine, MemoryStore
from processor.rules.cases.case import CLUSTER, clock
from processor.settings import CorrelationSettings
from schemas.diagnosis import Diagnosis
from schemas.observation import Cluster, Observation


def line_of(revision: Diagnosis) -> str:
    """A revision in one line: ``app#2.1 opened container_restarts app_error_exit x2``, ordinal left out while it is told by the id."""
    body = revision.diagnosis
    container = revision.k8s.container.name if revision.k8s.container is not None else "-"
    how = f" {body.resolution}" if body.resolution is not None else ""
    return f"{container} r{body.revision} {body.state}{how}: {body.problem} {body.cause.id} x{body.occurrences}"


class Timeline:
    """One engine, fed step by step. ``expect`` compares the revisions since the last ``expect``: these and only these."""

    def __init__(self, settings: CorrelationSettings | None = None) -> None:
        self.settings = settings
        self.store = MemoryStore()
        self.engine = Engine(self.store, settings)
        self.revisions: list[Diagnosis] = []
        self._compared = 0

    def push(self, *observations: Observation) -> None:
        for observation in observations:
            self.revisions.extend(self.engine.feed(observation))

    def clock_to(self, seconds: float, cluster: Cluster = CLUSTER) -> None:
        self.push(clock(seconds, cluster))

    def restart(self) -> None:
        """The process is started anew on the state that it left."""
        self.engine = Engine(self.store, self.settings)

    def expect(self, *lines: str) -> None:
        new = [line_of(revision) for revision in self.revisions[self._compared :]]
        self._compared = len(self.revisions)
        assert new == list(lines)


@pytest.fixture
def timeline() -> Timeline:
    """A timeline with the settings of the contract."""
    return Timeline()


@pytest.fixture
def timeline_with() -> type[Timeline]:
    """A timeline with other settings."""
    return Timeline
