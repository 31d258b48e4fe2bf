"""The watches of one session as threads that put what they receive into one bounded queue. It interprets nothing."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from collector.api_errors import ApiError
from collector.bounded_queue import BoundedQueue
from collector.completeness import Completeness
from collector.logs import FetchedLog
from collector.stats import CollectorStats
from collector.watch_items import Change, Item, Resource, Timing, Transport
from collector.watching import Watching

_JOIN_SECONDS: Final = 3.0
_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Failed:
    """A watch was refused for good."""

    feed: str
    error: ApiError


@dataclass(frozen=True, slots=True)
class Received:
    """What one watch received; ``feed`` is the watch's name, which resume points carry."""

    feed: str
    item: Item


Entry = Received | FetchedLog | Failed


class Feed:
    """One watch and its thread."""

    def __init__(
        self,
        name: str,
        resource: Resource,
        transport: Transport,
        timing: Timing,
        stats: CollectorStats,
        dead_peer_seconds: float,
    ) -> None:
        self.name = name
        self.resource = resource
        self.completeness = Completeness(dead_peer_seconds)
        self._watching = Watching(transport, resource, timing, stats, self.completeness)
        self._thread: threading.Thread | None = None

    def start(
        self,
        take: Callable[[Item], object],
        refused: Callable[[ApiError], object],
        resource_version: str | None = None,
        *,
        list_known: bool = False,
    ) -> None:
        """Begin, in a thread; ``take`` and ``refused`` are called there."""

        def run() -> None:
            try:
                for item in self._watching.changes(resource_version, list_known=list_known):
                    take(item)
            except ApiError as error:
                refused(error)

        self._thread = threading.Thread(target=run, name=f"watch-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._watching.stop()

    def join(self, seconds: float = _JOIN_SECONDS) -> None:
        """Wait until it has ended, that long at most."""
        if self._thread is not None:
            self._thread.join(seconds)
            if self._thread.is_alive():
                _log.warning("watch_thread_left", feed=self.name)


def into(queue: BoundedQueue[Entry], feed: str) -> Callable[[Item], bool]:
    """Puts a watch's items into the queue."""

    def put(item: Item) -> bool:
        size = len(memoryview(item.body)) if isinstance(item, Change) else 0
        return queue.put(Received(feed, item), size)

    return put


def resources_of(kind: str, namespaces: Sequence[str], excluded: Sequence[str]) -> dict[str, Resource]:
    """The watches of ``pods`` or ``events`` by name: one of all namespaces, or one of each."""
    selectors: list[str] = ["involvedObject.kind=Pod"] if kind == "events" else []
    if not namespaces:
        selectors += [f"metadata.namespace!={namespace}" for namespace in excluded]
    chosen = {"fieldSelector": ",".join(selectors)} if selectors else {}
    stalled = 180.0 if kind == "pods" else None  # bookmarks of pods come every minute, of events never
    if not namespaces:
        return {kind: Resource(kind, f"/api/v1/{kind}", chosen, stalled_seconds=stalled)}
    return {
        f"{kind}/{namespace}": Resource(kind, f"/api/v1/namespaces/{namespace}/{kind}", chosen, stalled_seconds=stalled)
        for namespace in namespaces
    }
