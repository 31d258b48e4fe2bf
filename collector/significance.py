"""Whether an object says something new against what was published of it before. Pure comparison; the memory is one small class.

Replay and live watch use it alike: kubelets rewrite pod statuses often, relists repeat everything, and neither is news.
"""

from typing import NamedTuple

import msgspec

from schemas.observation import Event, Pod


class _EventTold(NamedTuple):
    """What makes a repeat of an event news: how often it happened, when last, and what it says."""

    occurrences: int | None
    series_count: int | None
    series_last_at: str | None
    last_at: str | None
    message: str


def pod_changed(previous: Pod | None, current: Pod) -> bool:
    """Whether the projection differs from the one published before; the resource version alone is no difference."""
    if previous is None:
        return True
    if previous.resource_version == current.resource_version:
        return previous != current
    return msgspec.structs.replace(previous, resource_version=current.resource_version) != current


def event_changed(previous: Event | None, current: Event) -> bool:
    """Whether count, series, message or the last time differ from what was published before."""
    return previous is None or _told(previous) != _told(current)


class LastPublished:
    """What was last published of each living pod and event of one cluster.

    Pods are forgotten when deleted, events when they expire (``forget_event``): memory is bounded by what the API server holds.
    """

    __slots__ = ("_events", "_pods")

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str, str | None], Pod] = {}
        self._events: dict[str, _EventTold] = {}

    def is_news(self, current: Pod | Event) -> bool:
        """Whether it must be published; it counts as published from then on."""
        if isinstance(current, Pod):
            key = (current.namespace, current.name, current.uid)
            if not pod_changed(self._pods.get(key), current):
                return False
            self._pods[key] = current
            return True
        if current.uid is None:
            return True
        told = _told(current)
        if self._events.get(current.uid) == told:
            return False
        self._events[current.uid] = told
        return True

    def forget_pod(self, pod: Pod) -> None:
        """The pod is gone."""
        self._pods.pop((pod.namespace, pod.name, pod.uid), None)

    def forget_event(self, uid: str | None) -> None:
        """The event has expired."""
        if uid is not None:
            self._events.pop(uid, None)


def _told(event: Event) -> _EventTold:
    series = event.series
    return _EventTold(
        occurrences=event.count,
        series_count=None if series is None else series.count,
        series_last_at=None if series is None else series.last_observed_at,
        last_at=event.last_at,
        message=event.message,
    )
