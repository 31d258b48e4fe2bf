"""One session of the live collector: watches into a queue, a single loop that translates, publishes and writes resume points.

Order is the loop's: what is handed to Kafka, which clock may follow it, which resume point covers it. It must not catch what
Kafka refuses: the session ends then, and the next one resumes.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from collector.api import DEAD_PEER_SECONDS, Api
from collector.api_errors import ApiError
from collector.bounded_queue import BoundedQueue
from collector.checkpointing import Checkpoint, CheckpointWriter
from collector.cluster_view import ClusterView
from collector.feeds import Entry, Failed, Feed, Received, into, resources_of
from collector.held_events import HeldEvent, HeldEvents
from collector.logs import FetchedLog, LogFetcher, LogSettings, LogTargets
from collector.owner_watches import OwnerWatches
from collector.progress import Progress, Watched
from collector.publishing import Ending, Publisher, PublishError
from collector.settings import CollectorSettings
from collector.stats import CollectorStats
from collector.translating import TranslationError, Translator
from collector.watch_items import Change, Item, ListEnd, ListStart, Timing
from schemas.observation import Cluster
from schemas.timestamps import format_ms

_QUEUE_ENTRIES: Final = 10_000
_QUEUE_BYTES: Final = 24 * 1024 * 1024
_CHECKPOINT_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 1.0
_UNACKNOWLEDGED_WARN_MS: Final = 10_000
_IDLE_SECONDS: Final = 0.2
_BUSY_SECONDS: Final = 0.02
_JOIN_SECONDS: Final = 2.0
_log: Final = structlog.get_logger(__name__)


class LeadershipLostError(Exception):
    """Another collector may publish now."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What one session is told; see `collector.live.LiveSettings`."""

    collector: CollectorSettings
    namespaces: tuple[str, ...]
    excluded_namespaces: tuple[str, ...]
    logs: LogSettings | None


class Session:
    """From one resume point to the end, or to the first failure of Kafka."""

    def __init__(
        self,
        api: Api,
        publisher: Publisher,
        cluster: Cluster,
        found: Checkpoint,
        settings: SessionSettings,
        stats: CollectorStats,
    ) -> None:
        self._api = api
        self._publisher = publisher
        self._settings = settings
        self._stats = stats
        self._translator = Translator(cluster, settings.collector.translation)
        self._ended = threading.Event()
        self._timing = Timing(wait=self._ended.wait)
        self._queue: BoundedQueue[Entry] = BoundedQueue(entries=_QUEUE_ENTRIES, size_bytes=_QUEUE_BYTES)
        self._owners = OwnerWatches(api, settings.namespaces, self._timing, stats, DEAD_PEER_SECONDS)
        self._targets = LogTargets(stats)
        self._writer = CheckpointWriter(publisher, settings.collector.topic_prefix, cluster, found)
        self._found = found
        self._pods = self._feeds("pods")
        self._events = self._feeds("events")
        watched = {
            name: Watched(feed.resource.name, feed.completeness) for name, feed in (*self._pods.items(), *self._events.items())
        }
        self._progress = Progress(watched, found, self._translator, stats)
        self._view = ClusterView(
            self._translator,
            excluded_namespaces=settings.excluded_namespaces,
            resumed_at_ms=self._progress.resumed_at_ms,
            owner=self._owners.index.owner,
        )
        self._pods_to_list = set(self._pods)
        self._known_lists: set[str] = set()
        self._held = HeldEvents(self._view.knows)
        self._taken = 0
        self._membership = -1
        self._warned_ms = 0
        self._events_started = False
        self.worked = False
        """Whether all watches were open and Kafka was there."""

    def run(self, ending: Ending, is_leader: Callable[[], bool]) -> None:
        """Until the end is asked for: then everything is flushed and the resume point written, as far as the grace time allows.

        Raises PublishError, ApiError, LeadershipLostError.
        """
        try:
            self._start()
            self._loop(ending.stop, is_leader)
            ending.left()  # the grace time begins
        finally:
            self._end()
        self._finish(ending)

    def _feeds(self, kind: str) -> dict[str, Feed]:
        found = resources_of(kind, self._settings.namespaces, self._settings.excluded_namespaces)
        return {
            name: Feed(name, resource, self._api, self._timing, self._stats, DEAD_PEER_SECONDS)
            for name, resource in found.items()
        }

    def _start(self) -> None:
        self._owners.start()
        for name in self._pods:
            namespace = name.partition("/")[2]
            self._view.remember(name, (pod for pod in self._found.known_pods if namespace in ("", pod[0])))
        self._start_feeds(self._pods, list_known=True)
        if self._settings.logs is not None:
            fetcher = LogFetcher(
                self._api,
                self._targets,
                self._settings.logs,
                self._stats,
                deliver=lambda fetched: self._queue.put(fetched, len(fetched.text)),
                wait=self._ended.wait,
            )
            threading.Thread(target=fetcher.run, name="logs", daemon=True).start()

    def _start_feeds(self, feeds: dict[str, Feed], *, list_known: bool) -> None:
        for name, feed in feeds.items():
            refused = self._refused(name)
            feed.start(into(self._queue, name), refused, self._progress.version(name), list_known=list_known)

    def _refused(self, name: str) -> Callable[[ApiError], object]:
        return lambda error: self._queue.put(Failed(name, error))

    def _loop(self, stop: threading.Event, is_leader: Callable[[], bool]) -> None:
        next_clock = next_checkpoint = next_look = 0.0
        while not stop.is_set():
            if not is_leader():
                raise LeadershipLostError
            now = time.monotonic()
            if now >= next_look:
                next_look = now + _LOOK_SECONDS
                self._look()
                # The number is read after the times: what came up to those times has been put before it.
                if now >= next_clock and self._progress.make_clock_due(self._timing.now_ms(), self._queue.last_number):
                    next_clock = now + self._settings.collector.clock_seconds
            if now >= next_checkpoint and self._writer.idle:
                next_checkpoint = now + _CHECKPOINT_SECONDS
                self._begin_checkpoint()
            if self._writer.step():
                self._stats.checkpoint_written(self._timing.now_ms())
            if not self._publisher.has_room():
                stop.wait(_BUSY_SECONDS)
                continue
            found = self._queue.get(_BUSY_SECONDS if self._held else _IDLE_SECONDS)
            if found is not None:
                self._take(*found)
            for held in self._held.let_go(self._timing.now_ms()):
                if not self._publisher.has_room():
                    break  # it stays held: whoever waits in publish() does not hear that the end, or another leader, has come
                self._event_item(held.feed, held.item, held.raw)
            if self._publisher.has_room() and (clock := self._progress.clock(self._held.handed_over(self._taken))) is not None:
                self.worked = True
                self._publisher.publish(clock)

    def _take(self, number: int, entry: Entry) -> None:
        self._taken = number
        match entry:
            case Failed(error=error):
                raise error
            case FetchedLog():
                self._log_came(entry)
            case Received(feed=feed, item=item) if feed in self._events:
                raw = msgspec.json.decode(item.body) if isinstance(item, Change) else None
                self._held.hold(HeldEvent(number, feed, item, raw))
            case Received(feed=feed, item=item):
                self._pod_item(feed, item)

    def _pod_item(self, feed: str, item: Item) -> None:
        if isinstance(item, ListStart):
            (self._known_lists.add if item.known else self._known_lists.discard)(feed)
            self._list_started(feed, item)
        elif isinstance(item, ListEnd):
            gone = self._view.pods_listed(feed, item.resource_version, format_ms(item.started_ms), known=item.known)
            for deleted in gone:
                self._targets.forget(deleted.pod.uid or "")
                self._publisher.publish(deleted)
        elif isinstance(item, Change):
            try:
                self._pod_change(feed, item)
            except TranslationError as error:
                self._untranslatable(feed, error)
        self._progress.reached(feed, item)
        if isinstance(item, ListEnd):
            self._known_lists.discard(feed)
            self._pods_to_list.discard(feed)
            if not self._pods_to_list and not self._events_started:
                self._events_started = True
                self._start_feeds(self._events, list_known=False)

    def _pod_change(self, feed: str, item: Change) -> None:
        raw, at = msgspec.json.decode(item.body), format_ms(item.received_ms)
        if item.type == "DELETED":
            deleted = self._view.pod_deleted(raw, at)
            if deleted is not None:
                self._targets.forget(deleted.pod.uid or "")
                self._publisher.publish(deleted)
            return
        known = item.type == "LISTED" and feed in self._known_lists
        found = self._view.pod(feed, item.type, raw, at, known=known)
        if found is None:
            return
        observation, is_news = found
        if is_news:
            self._publisher.publish(observation)
        if self._settings.logs is not None and (is_news or known):
            self._targets.consider(observation.pod, item.received_ms)

    def _event_item(self, feed: str, item: Item, raw: Any) -> None:  # noqa: ANN401 - raw JSON
        if isinstance(item, ListStart):
            self._list_started(feed, item)
        elif isinstance(item, ListEnd):
            self._view.events_listed(feed)
        elif isinstance(item, Change):
            try:
                event = self._view.event(feed, item.type, raw, format_ms(item.received_ms))
            except TranslationError as error:
                self._untranslatable(feed, error)
            else:
                if event is not None:
                    self._publisher.publish(event)
        self._progress.reached(feed, item)

    def _list_started(self, feed: str, item: ListStart) -> None:
        self._view.list_started(feed)
        gap = self._progress.list_started(feed, item)
        if gap is not None:
            _log.warning("gap", resource=gap.gap.resource, since=gap.gap.from_, until=gap.gap.to)
            self._publisher.publish(gap)

    def _log_came(self, fetched: FetchedLog) -> None:
        target = fetched.target
        if not self._targets.settled(target):
            return
        log = self._translator.log(
            namespace=target.namespace,
            pod_name=target.pod_name,
            container=target.container,
            text=fetched.text,
            observed_at=format_ms(self._timing.now_ms()),
            pod_uid=target.pod_uid,
            container_id=target.container_id,
            restart_count=target.restart_count,
        )
        if log is not None:
            self._publisher.publish(log)

    def _untranslatable(self, feed: str, error: TranslationError) -> None:
        self._stats.could_not_translate()
        _log.warning("object_left_out", watch=feed, reason=str(error))

    def _look(self) -> None:
        now_ms = self._timing.now_ms()
        self._progress.look(now_ms)
        oldest = self._publisher.oldest_unacknowledged
        since_ms = None if oldest is None else now_ms - int((time.monotonic() - oldest) * 1000)
        if since_ms is not None and now_ms - max(since_ms, self._warned_ms) > _UNACKNOWLEDGED_WARN_MS:
            self._warned_ms = now_ms
            _log.warning("kafka_does_not_acknowledge", unacknowledged=self._publisher.unacknowledged, since=format_ms(since_ms))
        self._stats.in_flight(self._publisher.unacknowledged, since_ms, len(self._queue) + len(self._held))

    def _begin_checkpoint(self) -> None:
        changed = self._view.membership != self._membership
        self._membership = self._view.membership
        self._writer.begin(list(self._progress.positions()), self._view.known_pods() if changed else None)

    def _end(self) -> None:
        """Stop the watches; nothing is published after this."""
        self._ended.set()
        feeds = (*self._pods.values(), *self._events.values(), *self._owners.feeds.values())
        for feed in feeds:
            feed.stop()
        self._queue.close()
        self._targets.close()
        deadline = time.monotonic() + _JOIN_SECONDS
        for feed in feeds:
            feed.join(max(0.0, deadline - time.monotonic()))

    def _finish(self, ending: Ending) -> None:
        """Flush, and write the last resume point; what Kafka doesn't take within the grace time the next run reads again."""
        try:
            self._publisher.flush(ending.left())
            self._writer.step()
            self._begin_checkpoint()
            while not self._writer.idle:
                self._publisher.flush(ending.left())
                self._writer.step()
            self._publisher.flush(ending.left())
            self._stats.checkpoint_written(self._timing.now_ms())
        except PublishError as error:
            _log.warning("end_without_last_checkpoint", unacknowledged=self._publisher.unacknowledged, reason=str(error))
