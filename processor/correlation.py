"""The life of episodes: what opens, what is worth an update, what resolves. Pure; time is an argument.

Facts are `history`'s, causes are the rules'; the words of a record are `records`'. Here is only what was said already, and what is new.
"""

from typing import Final

import msgspec

from processor import records, rules
from processor.history import MAX_EPISODES, ROUTINE, Episode, PodHistory, Track
from processor.rules import Subject, Verdict, View
from processor.settings import CorrelationSettings
from schemas.codec import encode
from schemas.diagnosis import Diagnosis, Resolution
from schemas.identity import fingerprint

#: Past which a track without open episodes that was deleted or replaced is forgotten, so that late events of it still find it.
_TOMBSTONE_MS: Final = 1_200_000
_BANDS: Final = (0.5, 0.8)


def evaluate(
    history: PodHistory, track: Track, clock_ms: int, now_ms: int, settings: CorrelationSettings
) -> tuple[list[Diagnosis], int | None]:
    """Compare what is with what was said; returns new revisions, and when the clock may change the answer."""
    view = View(track, clock_ms, now_ms, settings)
    if track.deleted_ms is not None or track.replaced_ms is not None:
        return _end_all(view), (track.deleted_ms or track.replaced_ms or now_ms) + _TOMBSTONE_MS
    if _is_plainly_well(track):
        return [], None
    found = rules.subjects(view)
    by_name = {subject.name: subject for subject in found}
    revisions: list[Diagnosis] = []
    judged = rules.verdicts(view, found)
    for verdict in judged:
        revision = _apply(history, view, by_name, verdict)
        if revision is not None:
            revisions.append(revision)
    for episode in list(track.episodes):
        revision = _close(view, by_name, episode)
        if revision is not None:
            revisions.append(revision)
    if clock_ms == 0 and track.episodes:
        # Nothing resolves before the cluster's first clock: look again with it.
        view.wake_at(1)
    return revisions, view.wake_ms


def _is_plainly_well(track: Track) -> bool:
    """Whether nothing but routine was ever seen of a pod that runs and is ready: most pods, most of the time."""
    pod = track.pod
    if pod is None or track.episodes or pod.phase != "Running" or pod.reason is not None:
        return False
    for container in pod.containers:
        if container.type == "init" and container.ready:
            continue
        if not container.ready or container.state is None or container.state.running is None:
            return False
    if any(facts.ends for facts in track.containers.values()):
        return False
    if any(condition.type == "DisruptionTarget" for condition in pod.conditions):
        return False
    return all(signal.form in ROUTINE for signal in track.signals)


def _apply(history: PodHistory, view: View, by_name: dict[str, Subject], verdict: Verdict) -> Diagnosis | None:
    episode = _open_episode(view.track, verdict.container, verdict.problem)
    if episode is not None:
        return _update(history, view, by_name, episode, verdict)
    if not verdict.opens or _is_covered(view.track, verdict) or len(view.track.episodes) >= MAX_EPISODES:
        return None
    subject = by_name.get(verdict.container) if verdict.container is not None else None
    moment = max(view.now_ms, view.clock_ms)
    if rules.has_recovered(view, subject, verdict.problem, verdict.last_ms, verdict.last_ms, moment):
        return None
    if rules.has_completed(view, subject, verdict.problem):
        return None
    if _is_over_age(view, verdict, moment):
        return None
    return _open(history, view, by_name, verdict)


def _is_over_age(view: View, verdict: Verdict, moment: int) -> bool:
    """A pod that failed for good, or was evicted, long before the first look at it."""
    if verdict.condition not in ("failed", "evicted"):
        return False
    if verdict.cause == "node_lost" and view.pod.phase == "Running":
        return False
    return moment - verdict.last_ms >= view.settings.failed_expires_after_seconds * 1000


def _is_covered(track: Track, verdict: Verdict) -> bool:
    """Whether an open episode already tells this trouble: of the whole pod, or of the same container."""
    for episode in track.episodes:
        if episode.container is None and episode.problem == "evicted" and verdict.problem != "evicted":
            return True
        if (
            episode.container == verdict.container
            and verdict.problem == "not_ready"
            and episode.problem == "container_restarts"
        ):
            return True
    return False


def _open_episode(track: Track, container: str | None, problem: str) -> Episode | None:
    for episode in track.episodes:
        if episode.container == container and episode.problem == problem:
            return episode
    return None


def _open(history: PodHistory, view: View, by_name: dict[str, Subject], verdict: Verdict) -> Diagnosis:
    track = view.track
    key = f"{verdict.container or ''}/{verdict.problem}"
    ordinal = track.ordinals.get(key, 0) + 1
    track.ordinals[key] = ordinal
    kind, name, uid = records.workload_of(track)
    episode = Episode(
        container=verdict.container,
        problem=verdict.problem,
        ordinal=ordinal,
        revision=1,
        opened_ms=max(view.now_ms, view.clock_ms),
        first_ms=verdict.first_ms,
        last_ms=verdict.last_ms,
        fingerprint=fingerprint(history.cluster_uid, track.namespace, kind, name, verdict.container, verdict.problem),
        workload_kind=kind,
        workload_name=name,
        workload_uid=uid,
        cause=verdict.cause,
        confidence=verdict.confidence,
        severity=records.severity_of(view, verdict),
        condition=verdict.condition,
        occurrences=verdict.occurrences,
        exit_codes=_codes(verdict),
    )
    track.episodes.append(episode)
    _keep_latest(by_name, episode, verdict)
    return _say(history, view, by_name, episode, verdict, "opened")


def _codes(verdict: Verdict) -> list[int]:
    code = verdict.end.exit_code if verdict.end is not None else None
    return [code] if code is not None else []


def _band(confidence: float) -> int:
    return sum(confidence >= edge for edge in _BANDS)


def _update(
    history: PodHistory, view: View, by_name: dict[str, Subject], episode: Episode, verdict: Verdict
) -> Diagnosis | None:
    severity = records.severity_of(view, verdict)
    codes = [code for code in _codes(verdict) if code not in episode.exit_codes]
    material = (
        (verdict.cause != episode.cause and not _is_weaker_word(view, episode, verdict))
        or bool(codes)
        or severity != episode.severity
        or verdict.condition != episode.condition
        or _band(verdict.confidence) > _band(episode.confidence)
        or verdict.occurrences >= 2 * max(1, episode.occurrences)
    )
    episode.last_ms = max(episode.last_ms, verdict.last_ms)
    _keep_latest(by_name, episode, verdict)
    if not material:
        return None
    if _is_weaker_word(view, episode, verdict):
        # More of the same, told with less evidence than before: the count is news, the weaker cause is not.
        episode.occurrences = max(episode.occurrences, verdict.occurrences)
        episode.exit_codes = (episode.exit_codes + codes)[-8:]
        return _repeat(view, episode, verdict)
    episode.revision += 1
    episode.first_ms = min(episode.first_ms, verdict.first_ms)
    episode.cause = verdict.cause
    episode.confidence = verdict.confidence
    episode.severity = severity
    episode.condition = verdict.condition
    episode.occurrences = max(episode.occurrences, verdict.occurrences)
    episode.exit_codes = (episode.exit_codes + codes)[-8:]
    return _say(history, view, by_name, episode, verdict, "updated")


def _keep_latest(by_name: dict[str, Subject], episode: Episode, verdict: Verdict) -> None:
    """What the last revision must tell although no update was worth it: the last termination and the counts."""
    episode.end = verdict.end or episode.end
    episode.latest_occurrences = max(episode.latest_occurrences, verdict.occurrences)
    subject = by_name.get(episode.container) if episode.container is not None else None
    if subject is not None and subject.container.restart_count is not None:
        episode.restart_count = subject.container.restart_count


def _is_weaker_word(view: View, episode: Episode, verdict: Verdict) -> bool:
    """Whether a verdict comes with clearly less certainty than what was said: evidence fades, the trouble does not change.

    Within the grace time of the opening nothing has faded yet: there another cause comes from more evidence, and decides.
    """
    young = max(view.now_ms, view.clock_ms) - episode.opened_ms <= view.settings.grace_seconds * 1000
    if young and verdict.cause != episode.cause:
        return False
    return verdict.confidence < episode.confidence - 0.1


def _say(
    history: PodHistory, view: View, by_name: dict[str, Subject], episode: Episode, verdict: Verdict, state: str
) -> Diagnosis:
    subject = by_name.get(episode.container) if episode.container is not None else None
    record = records.build(history, view, episode, verdict, subject, state)
    episode.body = encode(record)
    return record


def _repeat(view: View, episode: Episode, verdict: Verdict) -> Diagnosis:
    episode.revision += 1
    record = records.repeated(episode, max(view.now_ms, view.clock_ms), verdict)
    episode.body = encode(record)
    return record


# --- the end of an episode -----------------------------------------------------------------------------------------------------


def _close(view: View, by_name: dict[str, Subject], episode: Episode) -> Diagnosis | None:
    subject = by_name.get(episode.container) if episode.container is not None else None
    resolution = _resolution(view, subject, episode)
    return _resolve(view, episode, resolution) if resolution is not None else None


def _resolution(view: View, subject: Subject | None, episode: Episode) -> Resolution | None:
    settings = view.settings
    if view.pod.deletion_at is None:
        if rules.has_completed(view, subject, episode.problem):
            return "completed"
        if view.clock_ms > 0 and rules.has_recovered(
            view, subject, episode.problem, episode.opened_ms, episode.last_ms, view.clock_ms
        ):
            return "recovered"
    if (episode.problem == "evicted" or view.pod.phase == "Failed") and view.passed(
        max(episode.opened_ms, view.track.pod_failed_ms or 0) + settings.failed_expires_after_seconds * 1000
    ):
        return "expired"
    if view.passed(view.track.heard_ms + settings.silent_expires_after_seconds * 1000):
        return "expired"
    return None


def _end_all(view: View) -> list[Diagnosis]:
    resolution: Resolution = "deleted" if view.track.deleted_ms is not None else "replaced"
    return [_resolve(view, episode, resolution) for episode in list(view.track.episodes)]


def _resolve(view: View, episode: Episode, resolution: Resolution) -> Diagnosis:
    episode.revision += 1
    moment = max(view.now_ms, view.clock_ms)
    record = records.resolved(episode, moment, resolution)
    view.track.episodes.remove(episode)
    view.track.settled_ms[f"{episode.container or ''}/{episode.problem}"] = max(
        episode.last_ms, view.track.pod_seen_ms if resolution == "recovered" else 0
    )
    facts = view.track.containers.get(episode.container) if episode.container is not None else None
    if facts is not None:
        facts.pull_failures = facts.create_failures = 0
        facts.pull_error = facts.create_error = facts.start_error = None
    return record


def encode_history(history: PodHistory) -> bytes:
    """The state as bytes (msgpack: twice as small and as fast as JSON here)."""
    return _encoder.encode(history)


def decode_history(value: bytes) -> PodHistory:
    """The state from its bytes. Raises msgspec.ValidationError for bytes of another shape."""
    return _decoder.decode(value)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(PodHistory)
