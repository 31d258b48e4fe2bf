"""What the live collector counts about itself: one thread-safe object that it updates and that health and metrics read.

Names and labels are bounded: kinds, resources, statuses and results, never a pod or a message. It must not decide whether the
collector is healthy, and knows no metrics format.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

LogResult = Literal["ok", "failed", "limited"]

#: Upper bounds of the publish latency's buckets, in seconds from receipt to acknowledgement; above the last is one more.
PUBLISH_LATENCY_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class ResourceStats:
    """One watched resource (``pods``, ``events``, …). Times are Unix milliseconds, None when it never happened."""

    watch_restarts: int = 0
    """Watch requests after the first, whatever ended the one before (a clean end too)."""

    relists: int = 0
    """Lists after the first."""

    gaps: int = 0
    """Spans that could not be seen, each told by a ``gap`` observation."""

    connected: bool = False
    """Whether a watch is open now."""

    last_bookmark_ms: int | None = None
    last_receipt_ms: int | None = None
    """The last line that the watch brought, a bookmark too."""

    complete_until_ms: int | None = None
    """Everything that happened up to this time was received; now minus this is the watch's lag."""


@dataclass(frozen=True, slots=True)
class StatsSnapshot:
    """All numbers at one moment. Counters count from the start of the process."""

    started_ms: int | None
    """When the collector began to collect (as the leader), Unix milliseconds; None while it does not."""

    observations: Mapping[str, int]
    """Acknowledged observations by kind."""

    unacknowledged: int
    """Observations handed to Kafka and not acknowledged yet."""

    oldest_unacknowledged_ms: int | None
    """When the oldest of them was handed over (Unix ms); its age says whether Kafka acknowledges."""

    last_acknowledged_ms: int | None
    publish_failures: int
    """How often Kafka did not take an observation in time, or could not be reached; each leads to a new producer."""

    latency_buckets: tuple[int, ...]
    """Acknowledgements by seconds since receipt: as ``PUBLISH_LATENCY_BUCKETS`` (not cumulative), then those above."""

    latency_sum_seconds: float
    retries: Mapping[str, int]
    """Repeated requests after an error, by resource."""

    api_errors: Mapping[str, int]
    """Failed requests to the API server, by HTTP status, or ``connection``, ``timeout``."""

    log_fetches: Mapping[LogResult, int]
    resources: Mapping[str, ResourceStats]
    last_clock_ms: int | None
    """The time of the last clock that was handed to Kafka; a cluster whose clocks stop is silent since then."""

    last_checkpoint_ms: int | None
    """When the last resume point was written."""

    queued: int
    """Changes received and not yet translated."""

    untranslatable: int
    """Objects without even a name: counted and left out."""

    silent_clusters: Mapping[str, int]
    """Other clusters of the same Kafka whose resume points stopped moving: name to the last time, Unix ms."""


class CollectorStats:
    """The counters. Every method is cheap and may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started_ms: int | None = None
        self._observations: Counter[str] = Counter()
        self._unacknowledged = 0
        self._oldest_unacknowledged_ms: int | None = None
        self._last_acknowledged_ms: int | None = None
        self._publish_failures = 0
        self._latency_buckets = [0] * (len(PUBLISH_LATENCY_BUCKETS) + 1)
        self._latency_sum = 0.0
        self._retries: Counter[str] = Counter()
        self._api_errors: Counter[str] = Counter()
        self._log_fetches: Counter[LogResult] = Counter()
        self._resources: dict[str, dict[str, int | bool | None]] = {}
        self._last_clock_ms: int | None = None
        self._last_checkpoint_ms: int | None = None
        self._queued = 0
        self._untranslatable = 0
        self._silent_clusters: dict[str, int] = {}

    def collecting(self, since_ms: int | None) -> None:
        """Collecting began at this time; None: it ended."""
        with self._lock:
            self._started_ms = since_ms

    def acknowledged(self, kind: str, seconds: float, now_ms: int) -> None:
        """Kafka has an observation, so long after it was handed over."""
        with self._lock:
            self._observations[kind] += 1
            self._last_acknowledged_ms = now_ms
            self._latency_sum += seconds
            for number, bound in enumerate(PUBLISH_LATENCY_BUCKETS):
                if seconds <= bound:
                    self._latency_buckets[number] += 1
                    return
            self._latency_buckets[-1] += 1

    def in_flight(self, unacknowledged: int, oldest_ms: int | None, queued: int) -> None:
        """How much is on its way now."""
        with self._lock:
            self._unacknowledged, self._oldest_unacknowledged_ms, self._queued = unacknowledged, oldest_ms, queued

    def publish_failed(self) -> None:
        """Kafka did not take something in time, or could not be reached."""
        with self._lock:
            self._publish_failures += 1

    def retried(self, resource: str) -> None:
        """A request is made again after an error."""
        with self._lock:
            self._retries[resource] += 1

    def api_failed(self, status: str) -> None:
        """A request to the API server failed: its HTTP status, or ``connection`` or ``timeout``."""
        with self._lock:
            self._api_errors[status] += 1

    def log_fetched(self, result: LogResult) -> None:
        """A log was fetched, could not be, or was left out because of the rate limit."""
        with self._lock:
            self._log_fetches[result] += 1

    def watch_connected(self, resource: str, *, restart: bool) -> None:
        """A watch is open; ``restart``: it is not the first."""
        with self._lock:
            self._increase(resource, "watch_restarts", 1 if restart else 0)
            self._resource(resource)["connected"] = True

    def watch_ended(self, resource: str) -> None:
        """No watch is open."""
        with self._lock:
            self._resource(resource)["connected"] = False

    def relisted(self, resource: str) -> None:
        """A list that is not the first one has begun."""
        with self._lock:
            self._increase(resource, "relists", 1)

    def gap(self, resource: str) -> None:
        """A gap was told."""
        with self._lock:
            self._increase(resource, "gaps", 1)

    def received(self, resource: str, now_ms: int, *, bookmark: bool = False) -> None:
        """The watch brought a line."""
        with self._lock:
            one = self._resource(resource)
            one["last_receipt_ms"] = now_ms
            if bookmark:
                one["last_bookmark_ms"] = now_ms

    def complete(self, resource: str, until_ms: int | None) -> None:
        """Everything up to this time was received."""
        with self._lock:
            self._resource(resource)["complete_until_ms"] = until_ms

    def clock_published(self, time_ms: int) -> None:
        """A clock was handed over."""
        with self._lock:
            self._last_clock_ms = time_ms

    def checkpoint_written(self, now_ms: int) -> None:
        """A resume point was written."""
        with self._lock:
            self._last_checkpoint_ms = now_ms

    def could_not_translate(self) -> None:
        """An object said not even what it is."""
        with self._lock:
            self._untranslatable += 1

    def silent_clusters(self, since_ms: Mapping[str, int]) -> None:
        """Other clusters whose resume points stopped moving."""
        with self._lock:
            self._silent_clusters = dict(since_ms)

    def snapshot(self) -> StatsSnapshot:
        """All numbers, consistent with each other."""
        with self._lock:
            return StatsSnapshot(
                started_ms=self._started_ms,
                observations=dict(self._observations),
                unacknowledged=self._unacknowledged,
                oldest_unacknowledged_ms=self._oldest_unacknowledged_ms,
                last_acknowledged_ms=self._last_acknowledged_ms,
                publish_failures=self._publish_failures,
                latency_buckets=tuple(self._latency_buckets),
                latency_sum_seconds=self._latency_sum,
                retries=dict(self._retries),
                api_errors=dict(self._api_errors),
                log_fetches=dict(self._log_fetches),
                resources={name: ResourceStats(**values) for name, values in self._resources.items()},  # type: ignore[arg-type] # kept by name
                last_clock_ms=self._last_clock_ms,
                last_checkpoint_ms=self._last_checkpoint_ms,
                queued=self._queued,
                untranslatable=self._untranslatable,
                silent_clusters=dict(self._silent_clusters),
            )

    def _resource(self, resource: str) -> dict[str, int | bool | None]:
        return self._resources.setdefault(resource, {})

    def _increase(self, resource: str, name: str, by: int) -> None:
        one = self._resource(resource)
        one[name] = int(one.get(name) or 0) + by
