"""The engine of one partition: feed observations in order, get diagnoses. Pure: no Kafka, Kubernetes, Faust or clock in it."""

from collections.abc import Iterable
from typing import Protocol

from processor.settings import CorrelationSettings
from schemas.diagnosis import Diagnosis
from schemas.observation import Observation


class HistoryStore(Protocol):
    """Where the engine keeps its state: a mapping from text keys to bytes, of one partition."""

    def get(self, key: str) -> bytes | None:
        """The value, or None."""

    def put(self, key: str, value: bytes) -> None:
        """Set a value."""

    def delete(self, key: str) -> None:
        """Remove a key that may be absent."""

    def items(self) -> Iterable[tuple[str, bytes]]:
        """Everything stored."""


class MemoryStore:
    """A store in memory, for `podcause diagnose` and tests."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        return self._values.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Set a value."""
        self._values[key] = value

    def delete(self, key: str) -> None:
        """Remove a key that may be absent."""
        self._values.pop(key, None)

    def items(self) -> Iterable[tuple[str, bytes]]:
        """Everything stored."""
        return self._values.items()


class Engine:
    """Correlates one partition's observations, fed in the order of the partition."""

    def __init__(self, store: HistoryStore, settings: CorrelationSettings | None = None) -> None:
        self._store = store
        self._settings = settings or CorrelationSettings()

    def feed(self, observation: Observation) -> list[Diagnosis]:
        """Apply one observation; returns the revisions that it brings about, in order."""
        raise NotImplementedError
