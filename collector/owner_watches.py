"""Runs the metadata-only watches of ReplicaSets and Jobs that feed the owner index; without the rights, names must do."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from collector.api_errors import ApiError
from collector.feeds import Feed
from collector.owner_index import OwnerIndex, owner_resources
from collector.stats import CollectorStats
from collector.watch_items import Item, ListEnd, Timing, Transport

_LISTED_WITHIN_SECONDS: Final = 10.0
_log: Final = structlog.get_logger(__name__)


class OwnerWatches:
    """The watches of one session, and the index that they fill."""

    def __init__(
        self, transport: Transport, namespaces: Sequence[str], timing: Timing, stats: CollectorStats, dead_peer_seconds: float
    ) -> None:
        self.index = OwnerIndex()
        scopes: Sequence[str | None] = namespaces or (None,)
        self.feeds = {
            name: Feed(name, resource, transport, timing, stats, dead_peer_seconds)
            for scope in scopes
            for resource in owner_resources(scope)
            for name in (f"{resource.name}/{scope}" if scope else resource.name,)
        }
        self._listed = threading.Semaphore(0)

    def start(self) -> None:
        """Begin, and wait a while until all are listed or refused: so the first pods have their owners."""
        for name, feed in self.feeds.items():
            feed.start(self._take(name), self._refused(name))
        deadline = time.monotonic() + _LISTED_WITHIN_SECONDS
        for _ in self.feeds:
            self._listed.acquire(timeout=max(0.0, deadline - time.monotonic()))

    def _take(self, name: str) -> Callable[[Item], object]:
        def take(item: Item) -> None:
            self.index.take(name, item)
            if isinstance(item, ListEnd):
                self._listed.release()

        return take

    def _refused(self, name: str) -> Callable[[ApiError], object]:
        def refused(error: ApiError) -> None:
            _log.info("owners_by_name_only", resource=name, missing=f"list and watch on {name}", reason=str(error))
            self._listed.release()

        return refused
