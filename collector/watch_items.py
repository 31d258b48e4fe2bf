"""What travels from a watch to the publishing loop, and what a watch needs from outside. Plain types; nothing happens here."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

ChangeType = Literal["LISTED", "ADDED", "MODIFIED", "DELETED"]


class Lines(Protocol):
    """The lines of an answer."""

    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None:
        """End the iteration, from any thread."""


class Transport(Protocol):
    """What of `collector.api.Api` is needed here."""

    def get(
        self, path: str, params: Mapping[str, str] | None = None, *, accept: str = ..., read_timeout_seconds: float = ...
    ) -> bytes:
        """The body of a GET."""

    def stream(
        self, path: str, params: Mapping[str, str] | None = None, *, accept: str = ..., read_timeout_seconds: float = ...
    ) -> Lines:
        """The lines of a GET."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is watched. ``name`` is its word in metrics and gaps; ``stalled_seconds``: that long without a line is an error."""

    name: str
    path: str
    selectors: Mapping[str, str] = field(default_factory=dict)
    list_accept: str = "application/json"
    watch_accept: str = "application/json"
    stalled_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Time, waiting and chance. ``wait`` sleeps so many seconds and says whether the end was asked for meanwhile."""

    wait: Callable[[float], bool]
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class ListStart:
    """A list begins, or begins again: objects follow. ``forced``: because the past is gone; ``known``: it is told already."""

    started_ms: int
    forced: bool = False
    known: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One object as JSON."""

    type: ChangeType
    body: bytes | msgspec.Raw
    resource_version: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class ListEnd:
    """The list is through; watching goes on from this version."""

    resource_version: str
    started_ms: int
    known: bool = False


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Nothing up to this version is left to come."""

    resource_version: str
    received_ms: int


Item = ListStart | Change | ListEnd | Bookmark
