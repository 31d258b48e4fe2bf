"""The collector's counters in Prometheus' text format. Labels are bounded: kinds, resources, statuses; never a pod.

The one importer of prometheus_client. It keeps no numbers of its own and judges nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from collector.stats import PUBLISH_LATENCY_BUCKETS, ResourceStats, StatsSnapshot

_PREFIX: Final = "podcause_collector_"


def exposition(stats: StatsSnapshot, now_ms: int, *, leading: bool | None = None, ready: bool = True) -> tuple[bytes, str]:
    """The text and its content type. ``leading`` None: there is no election. ``now_ms`` is Unix time, for ages."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(stats, now_ms, leading=leading, ready=ready))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Snapshot(Collector):
    def __init__(self, stats: StatsSnapshot, now_ms: int, *, leading: bool | None, ready: bool) -> None:
        self._stats, self._now_ms, self._leading, self._ready = stats, now_ms, leading, ready

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: the registry lives for one answer."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        stats = self._stats
        yield _gauge("ready", "Whether /readyz says ready.", float(self._ready))
        if self._leading is not None:
            yield _gauge("leading", "Whether this replica leads.", float(self._leading))
        yield _counters("observations", "Observations that Kafka acknowledged.", "kind", stats.observations)
        yield _gauge("unacknowledged_observations", "Handed to Kafka, not acknowledged yet.", stats.unacknowledged)
        yield _gauge("queued_changes", "Received from the API server, not translated yet.", stats.queued)
        oldest = stats.oldest_unacknowledged_ms if stats.unacknowledged else None
        yield _gauge(
            "oldest_unacknowledged_seconds",
            "Age of the oldest observation that Kafka has not acknowledged; 0: there is none.",
            0.0 if oldest is None else self._age(oldest),
        )
        yield self._latency()
        yield _counter(
            "publish_failures", "Times that Kafka did not take an observation or could not be reached.", stats.publish_failures
        )
        yield _counters("retries", "Requests made again after an error.", "resource", stats.retries)
        yield _counters("api_errors", "Failed requests to the API server.", "status", stats.api_errors)
        yield _counters(
            "log_fetches",
            "Logs of terminated containers: fetched, failed, or left out by the limit.",
            "result",
            dict(stats.log_fetches.items()),
        )
        yield _counter("untranslatable_objects", "Objects that did not even have a name.", stats.untranslatable)
        yield from self._resources(stats.resources)
        if stats.last_clock_ms is not None:
            yield _gauge("clock_age_seconds", "Age of the last clock that was handed to Kafka.", self._age(stats.last_clock_ms))
        if stats.last_checkpoint_ms is not None:
            yield _gauge("checkpoint_age_seconds", "Age of the last resume point.", self._age(stats.last_checkpoint_ms))
        silent = GaugeMetricFamily(
            f"{_PREFIX}silent_cluster_seconds", "Other clusters on this Kafka whose clocks stopped.", labels=["cluster"]
        )
        for cluster, since_ms in stats.silent_clusters.items():
            silent.add_metric([cluster], self._age(since_ms))
        yield silent

    def _resources(self, resources: Mapping[str, ResourceStats]) -> Iterator[Metric]:
        each = resources.items()
        restarts = {name: one.watch_restarts for name, one in each}
        yield _counters("watch_restarts", "Watch requests after the first, clean ends included.", "resource", restarts)
        yield _counters("relists", "Lists after the first.", "resource", {name: one.relists for name, one in each})
        yield _counters("gaps", "Spans of time that could not be seen.", "resource", {name: one.gaps for name, one in each})
        yield _gauges(
            "watch_connected", "Whether a watch is open.", "resource", {name: float(one.connected) for name, one in each}
        )
        yield self._ages(
            "watch_lag_seconds", "Everything older than this was received.", {name: one.complete_until_ms for name, one in each}
        )
        yield self._ages(
            "bookmark_age_seconds", "Age of the last bookmark.", {name: one.last_bookmark_ms for name, one in each}
        )
        yield self._ages(
            "receipt_age_seconds", "Age of the last line of the watch.", {name: one.last_receipt_ms for name, one in each}
        )

    def _ages(self, name: str, text: str, times: Mapping[str, int | None]) -> Metric:
        return _gauges(name, text, "resource", {key: self._age(time) for key, time in times.items() if time is not None})

    def _latency(self) -> Metric:
        bounds = [*map(str, PUBLISH_LATENCY_BUCKETS), "+Inf"]
        counts = accumulate(self._stats.latency_buckets)
        return HistogramMetricFamily(
            f"{_PREFIX}publish_latency_seconds",
            "From receipt to Kafka's acknowledgement.",
            buckets=list(zip(bounds, map(float, counts), strict=True)),
            sum_value=self._stats.latency_sum_seconds,
        )

    def _age(self, time_ms: int) -> float:
        return max((self._now_ms - time_ms) / 1000, 0.0)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
