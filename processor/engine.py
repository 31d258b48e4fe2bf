"""The engine of one partition: feed observations in order, get diagnoses. Pure: no Kafka, Kubernetes, Faust or clock in it.

It finds the pod that an observation is about, merges the facts, lets `correlation` compare, and keeps a queue of the moments at which the
cluster's clock alone may change an answer.
"""

import heapq
from collections.abc import Iterable
from typing import Final, Protocol

from processor import merging
from processor.correlation import decode_history, encode_history, evaluate
from processor.history import PodHistory, Track
from processor.settings import CorrelationSettings
from schemas.diagnosis import Diagnosis
from schemas.identity import pod_key
from schemas.observation import (
    ClockObservation,
    Cluster,
    EventObservation,
    GapObservation,
    LogObservation,
    Observation,
    PodDeletedObservation,
    PodObservation,
)
from schemas.timestamps import InvalidTimestampError, parse_ms

_CLOCK_PREFIX: Final = "\x00clock/"
_MAX_TRACKS: Final = 4
#: How many pods' decoded state is kept beside the bytes in the store.
_DECODED_MAX: Final = 4096
#: A clock that claims to be further ahead of its own receipt than this is wrong and does not advance event time.
_CLOCK_AHEAD_MAX_MS: Final = 300_000


_HEARD_STEP_MS: Final = 3_600_000

_PodBound = EventObservation | PodObservation | PodDeletedObservation | LogObservation


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


class UnusableObservationError(ValueError):
    """An observation of the right shape whose content cannot be used: a time that is none. A retry does not help."""


class Engine:
    """Correlates one partition's observations, fed in the order of the partition.

    Everything that must survive a restart is in the store; the queue of waking times is rebuilt from it.
    """

    def __init__(self, store: HistoryStore, settings: CorrelationSettings | None = None) -> None:
        self._store = store
        self._settings = settings or CorrelationSettings()
        self._clocks: dict[str, int] = {}
        self._queues: dict[str, list[tuple[int, str]]] = {}
        self._wakes: dict[str, int] = {}
        self._decoded: dict[str, PodHistory] = {}
        for key, value in store.items():
            self._restore(key, value)

    def _restore(self, key: str, value: bytes) -> None:
        if key.startswith(_CLOCK_PREFIX):
            self._clocks[key[len(_CLOCK_PREFIX) :]] = int(value)
            return
        history = decode_history(value)
        if history.wake_ms is not None:
            self._schedule(history.cluster_uid, key, history.wake_ms)

    def feed(self, observation: Observation) -> list[Diagnosis]:
        """Apply one observation; returns the revisions that it brings about, in order.

        Raises UnusableObservationError when a time in it cannot be read; nothing is changed then.
        """
        seen_ms = _time(observation.observed_at, "observed_at")
        if isinstance(observation, ClockObservation):
            return self._advance(observation, seen_ms)
        if isinstance(observation, GapObservation):
            return []
        namespace, name, uid = _subject_of(observation)
        full_key = pod_key(observation.cluster.name, namespace, name)
        # Taken out while it changes: should a rule fail, what the store holds is still the state before this observation.
        history = self._decoded.pop(full_key, None) or self._load(full_key, observation.cluster)
        clock_ms = self._clocks.get(history.cluster_uid, 0)
        changed, revisions = self._merge(history, observation, namespace, name, uid, clock_ms, seen_ms)
        if changed:
            self._save(full_key, history)
        elif history.tracks:
            self._remember(full_key, history)
        return revisions

    def _load(self, key: str, cluster: Cluster) -> PodHistory:
        value = self._store.get(key)
        if value is None:
            return PodHistory(cluster_name=cluster.name, cluster_uid=cluster.uid)
        return decode_history(value)

    def _remember(self, key: str, history: PodHistory) -> None:
        """Keep a decoded copy of what the store holds: a crash loop's observations come in bursts."""
        if len(self._decoded) >= _DECODED_MAX:
            del self._decoded[next(iter(self._decoded))]
        self._decoded[key] = history

    def _save(self, key: str, history: PodHistory) -> None:
        if not history.tracks:
            self._store.delete(key)
            self._wakes.pop(key, None)
            return
        self._store.put(key, encode_history(history))
        self._remember(key, history)
        if history.wake_ms is not None:
            self._schedule(history.cluster_uid, key, history.wake_ms)
        else:
            self._wakes.pop(key, None)

    # --- time ------------------------------------------------------------------------------------------------------------------

    def _schedule(self, cluster_uid: str, key: str, wake_ms: int) -> None:
        if self._wakes.get(key) != wake_ms:
            self._wakes[key] = wake_ms
            heapq.heappush(self._queues.setdefault(cluster_uid, []), (wake_ms, key))

    def _advance(self, observation: ClockObservation, seen_ms: int) -> list[Diagnosis]:
        uid = observation.cluster.uid
        time_ms = _time(observation.clock.time, "clock.time")
        if time_ms <= self._clocks.get(uid, 0) or time_ms > seen_ms + _CLOCK_AHEAD_MAX_MS:
            return []
        self._clocks[uid] = time_ms
        revisions: list[Diagnosis] = []
        queue = self._queues.get(uid, [])
        due: list[str] = []
        while queue and queue[0][0] <= time_ms:
            wake_ms, key = heapq.heappop(queue)
            if self._wakes.get(key) == wake_ms:
                del self._wakes[key]
                due.append(key)
        for key in sorted(due):
            value = self._store.get(key)
            if value is not None:
                history = self._decoded.pop(key, None) or decode_history(value)
                revisions.extend(_reconsider(history, time_ms, time_ms, self._settings))
                self._save(key, history)
        self._store.put(f"{_CLOCK_PREFIX}{uid}", str(time_ms).encode())
        return revisions

    # --- facts -----------------------------------------------------------------------------------------------------------------

    def _merge(
        self,
        history: PodHistory,
        observation: _PodBound,
        namespace: str,
        name: str,
        uid: str | None,
        clock_ms: int,
        seen_ms: int,
    ) -> tuple[bool, list[Diagnosis]]:
        track = _track_for(history, observation, namespace, name, uid, seen_ms)
        if track is None:
            return False, []
        # The silence before expiry is a day: hearing of a pod every hour is news enough for the state.
        heard = seen_ms - track.heard_ms >= _HEARD_STEP_MS
        if heard:
            track.heard_ms = seen_ms
        if not _take_in(track, observation, seen_ms):
            return heard or not track.known, []
        track.known = True
        if observation.redaction is not None:
            track.redactions = min(track.redactions + observation.redaction.count, 1_000_000)
        revisions: list[Diagnosis] = []
        if isinstance(observation, PodObservation) and len(history.tracks) > 1 and track is history.tracks[-1]:
            revisions.extend(_replace_older(history, track, clock_ms, seen_ms, self._settings))
        if not self._settings.one_moment:
            revisions.extend(_reconsider(history, clock_ms, max(clock_ms, seen_ms), self._settings, only=track))
        return True, revisions

    def conclude(self, now_ms: int) -> list[Diagnosis]:
        """One moment's answer: every pod in the store, judged at ``now_ms``."""
        revisions: list[Diagnosis] = []
        for key, value in sorted(self._store.items()):
            if not key.startswith(_CLOCK_PREFIX):
                revisions.extend(_reconsider(decode_history(value), now_ms, now_ms, self._settings))
        return revisions


def diagnose_moment(
    observations: Iterable[Observation], now: str, settings: CorrelationSettings | None = None
) -> list[Diagnosis]:
    """Judge observations as one moment's picture at ``now`` (RFC 3339): evidence together, not a stream."""
    engine = Engine(MemoryStore(), (settings or CorrelationSettings()).for_one_moment())
    for observation in observations:
        engine.feed(observation)
    return [revision for revision in engine.conclude(_time(now, "now")) if revision.diagnosis.state == "opened"]


def _time(text: str, field: str) -> int:
    try:
        return parse_ms(text)
    except InvalidTimestampError as error:
        raise UnusableObservationError(f"{field}: {error}") from error


def _subject_of(observation: _PodBound) -> tuple[str, str, str | None]:
    if isinstance(observation, EventObservation):
        target = observation.event.involved_object
        return target.namespace, target.name, target.uid
    if isinstance(observation, LogObservation):
        return observation.log.namespace, observation.log.pod_name, observation.log.pod_uid
    return observation.pod.namespace, observation.pod.name, observation.pod.uid


def _track_for(
    history: PodHistory, observation: _PodBound, namespace: str, name: str, uid: str | None, seen_ms: int
) -> Track | None:
    """The UID's track. Events without a UID belong to the pod alive now; a static pod's kubelet events carry another UID than its mirror."""
    for track in history.tracks:
        if uid is not None and uid in (track.uid, track.pod.static_uid if track.pod is not None else None):
            if isinstance(observation, PodObservation) and track.pod is None and track.replaced_ms is not None:
                # Its events came before its state: it is the newer pod after all.
                track.replaced_ms = None
                history.tracks.remove(track)
                history.tracks.append(track)
            return track
    if uid is None and history.tracks:
        return history.tracks[-1]
    if isinstance(observation, PodObservation | PodDeletedObservation):
        static = observation.pod.static_uid
        for track in history.tracks:
            if track.uid is None or (static is not None and static == track.uid):
                track.uid = uid
                return track
    track = Track(uid=uid, namespace=namespace, name=name, first_seen_ms=seen_ms, heard_ms=seen_ms)
    if (
        not isinstance(observation, PodObservation)
        and history.tracks
        and history.tracks[-1].pod is not None
        and history.tracks[-1].deleted_ms is None
        and uid is not None
    ):
        # Late news of an older pod of that name: it goes before the one that lives, and opens nothing, unless its own state comes.
        track.replaced_ms = seen_ms
        history.tracks.insert(0, track)
    else:
        history.tracks.append(track)
    while len(history.tracks) > _MAX_TRACKS:
        victim = next((known for known in history.tracks if not known.episodes and known is not track), history.tracks[0])
        history.tracks.remove(victim)
    return track if track in history.tracks else None


def _take_in(track: Track, observation: _PodBound, seen_ms: int) -> bool:
    if isinstance(observation, EventObservation):
        return track.deleted_ms is None and merging.merge_event(track, observation, seen_ms)
    if isinstance(observation, LogObservation):
        return merging.merge_log(track, observation, seen_ms)
    if isinstance(observation, PodObservation):
        return track.deleted_ms is None and merging.merge_pod(track, observation, seen_ms)
    if track.deleted_ms is not None:
        return False
    if track.pod is None:
        merging.merge_pod(track, observation, seen_ms)
    track.deleted_ms = seen_ms
    return True


def _replace_older(
    history: PodHistory, newest: Track, clock_ms: int, seen_ms: int, settings: CorrelationSettings
) -> list[Diagnosis]:
    revisions: list[Diagnosis] = []
    for track in history.tracks:
        if track is not newest and track.replaced_ms is None and track.deleted_ms is None:
            track.replaced_ms = seen_ms
            revisions.extend(evaluate(history, track, clock_ms, max(clock_ms, seen_ms), settings)[0])
    return revisions


def _reconsider(
    history: PodHistory, clock_ms: int, now_ms: int, settings: CorrelationSettings, only: Track | None = None
) -> list[Diagnosis]:
    """Evaluate one track or all, drop those that are over, and note when to look again."""
    revisions: list[Diagnosis] = []
    wakes: list[int] = []
    for track in list(history.tracks):
        said, wake_ms = evaluate(history, track, clock_ms, now_ms, settings) if only is None or track is only else ([], None)
        revisions.extend(said)
        gone = track.deleted_ms if track.deleted_ms is not None else track.replaced_ms
        forget_ms = _forget_ms(track, settings)
        if clock_ms > 0 and clock_ms >= forget_ms and not track.episodes:
            history.tracks.remove(track)
            continue
        wakes.append(forget_ms)
        if wake_ms is not None and gone is None:
            wakes.append(wake_ms)
    if only is not None and history.wake_ms is not None and len(history.tracks) > 1:
        wakes.append(history.wake_ms)
    history.wake_ms = max(min(wakes), clock_ms + 1) if wakes else None
    return revisions


def _forget_ms(track: Track, settings: CorrelationSettings) -> int:
    """When a track's state may go: after its window when it is gone or was only ever told of by events, else after a day of silence."""
    window_ms = settings.window_seconds * 1000
    gone = track.deleted_ms if track.deleted_ms is not None else track.replaced_ms
    if gone is not None:
        return gone + window_ms
    if track.pod is None:
        return track.heard_ms + 3 * window_ms
    return track.heard_ms + settings.silent_expires_after_seconds * 1000
