"""Observations become facts: merged so that their order within the grace time and their repeats do not matter.

Nothing is judged here. All times are integer milliseconds since the Unix epoch.
"""

import hashlib
from typing import Final, NamedTuple

from processor.history import (
    LOG_TEXT_MAX,
    MAX_ENDS,
    MAX_LOGS,
    MAX_RESTARTS,
    MAX_SIGNALS,
    ROUTINE,
    SIGNAL_TEXT_MAX,
    ContainerFacts,
    End,
    LogTail,
    Signal,
    Track,
    facts_of,
    time_ms,
)
from processor.messages import Form, listening_port, read_event, read_log
from schemas.observation import (
    Container,
    EventObservation,
    LogObservation,
    Pod,
    PodDeletedObservation,
    PodObservation,
    Terminated,
)

#: Skew between a node's clock and the API server's below this is latency, not skew.
_SKEW_NOTICEABLE_MS: Final = 30_000
#: An end that is news and yet older than this at the last look: more than a late status, so the node's clock is behind.
_BEHIND_MS: Final = 120_000
#: How many log tails are known by name; the text of the newest MAX_LOGS is kept.
_MAX_LOGS_KNOWN: Final = 12


def merge_event(track: Track, observation: EventObservation, seen_ms: int) -> bool:
    """Take in an Event; False when it says nothing new."""
    event = observation.event
    reading = read_event(event.reason, event.message, event.involved_object.field_path)
    if reading.form is Form.OTHER:
        return False
    if reading.container is not None:
        facts_of(track, reading.container)
        if reading.container not in track.containers:
            return False
    series = event.series
    last = time_ms(series.last_observed_at if series is not None else None) or time_ms(event.last_at) or time_ms(event.event_at)
    created = time_ms(event.created_at)
    last = last if last is not None else created
    last = last if last is not None else seen_ms
    first = time_ms(event.first_at) or time_ms(event.event_at) or created or last
    count = max(1, (series.count if series is not None else None) or event.count or 1)
    key = event.uid or _digest(event.reason, event.involved_object.field_path or "", reading.text)
    for known in track.signals:
        if known.key == key:
            return _repeat(known, count, first, last, seen_ms, observation.id, reading.text)
    # The first write of an event carries both clocks: the node's (firstTimestamp) and the API server's (creationTimestamp).
    skew = created - first if created is not None and count == 1 and abs(created - first) > _SKEW_NOTICEABLE_MS else 0
    signal = Signal(
        key=key,
        form=reading.form.value,
        container=reading.container,
        probe=reading.probe,
        reason=event.reason,
        text=reading.text[:SIGNAL_TEXT_MAX],
        count=count,
        first_ms=min(first + skew, last + skew),
        at_ms=min(last + skew, seen_ms) if last + skew - seen_ms > _SKEW_NOTICEABLE_MS else last + skew,
        seen_ms=seen_ms,
        source_id=observation.id,
        skew_ms=skew,
        is_init=reading.container_is_init,
    )
    if skew:
        track.skew_ms = skew
    track.signals.append(signal)
    if len(track.signals) > MAX_SIGNALS:
        track.signals.remove(min(track.signals, key=_least_useful))
    return True


def _repeat(known: Signal, count: int, first: int, last: int, seen_ms: int, source_id: str, text: str) -> bool:
    at = last + known.skew_ms
    if at - seen_ms > _SKEW_NOTICEABLE_MS:
        at = seen_ms
    changed = False
    known.first_ms = min(known.first_ms, first + known.skew_ms)
    if count > known.count:
        known.count = count
        changed = True
    if at > known.at_ms or changed:
        known.at_ms = max(at, known.at_ms)
        known.seen_ms = seen_ms
        known.source_id = source_id
        known.text = text[:SIGNAL_TEXT_MAX]
        changed = True
    return changed


def _least_useful(signal: Signal) -> tuple[bool, int, str]:
    return (signal.form not in ROUTINE, signal.at_ms, signal.key)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def merge_log(track: Track, observation: LogObservation, seen_ms: int) -> bool:
    """Take in a log tail; False when it is known."""
    log = observation.log
    facts = facts_of(track, log.container)
    key = log.container_id or observation.id
    if any(known.container_id == key for known in facts.logs):
        return False
    hint = read_log(log.text)
    facts.logs.append(
        LogTail(
            container_id=key,
            text=log.text.strip()[-LOG_TEXT_MAX:],
            hint=hint.cause if hint is not None else None,
            line=hint.line if hint is not None else None,
            port=listening_port(log.text),
            seen_ms=seen_ms,
            source_id=observation.id,
        )
    )
    facts.logs.sort(key=lambda tail: (tail.seen_ms, tail.source_id))
    del facts.logs[:-_MAX_LOGS_KNOWN]
    for spent in facts.logs[:-MAX_LOGS]:
        # Its name stays, so that a repeat is known as one.
        spent.text, spent.hint, spent.line, spent.port = "", None, None, None
    return True


def merge_pod(track: Track, observation: PodObservation | PodDeletedObservation, seen_ms: int) -> bool:
    """Take in a pod state: terminations of any age, and the rest when it is the newest. False when it is older or a repeat."""
    pod = observation.pod
    newest = track.pod is None or _is_newer(pod, seen_ms, track)
    live = track.pod is not None
    terminating = pod.deletion_at is not None
    look = _Look(observation.id, seen_ms, track.skew_ms, track.pod_seen_ms if newest and live else None)
    for container in pod.containers:
        facts = facts_of(track, container.name)
        _merge_ends(facts, container, look, terminating=terminating)
        if newest:
            _merge_state(facts, container, pod, track, seen_ms, live=live)
    if not newest:
        return False
    if pod.phase == "Failed" and track.pod_failed_ms is None:
        finished = [end.at_ms for facts in track.containers.values() for end in facts.ends]
        track.pod_failed_ms = seen_ms if live or not finished else max(finished)
    track.pod = pod
    track.pod_seen_ms = seen_ms
    track.source_id = observation.id
    return True


def _is_newer(pod: Pod, seen_ms: int, track: Track) -> bool:
    known = track.pod
    if known is None:
        return True
    old, new = known.resource_version, pod.resource_version
    if old is not None and new is not None and old.isascii() and new.isascii() and old.isdigit() and new.isdigit():
        return int(new[:24]) > int(old[:24])
    return seen_ms >= track.pod_seen_ms and pod != known


class _Look(NamedTuple):
    """One look at a pod: which observation, when, on a node of what skew; ``before_ms``: the look before it, if it is newer."""

    source_id: str
    seen_ms: int
    skew_ms: int
    before_ms: int | None


def _merge_ends(facts: ContainerFacts, container: Container, look: _Look, *, terminating: bool) -> None:
    for state, is_current in ((container.last_state, False), (container.state, True)):
        if state is not None and state.terminated is not None:
            _merge_end(facts, container, state.terminated, look, terminating=terminating and is_current)


def _merge_end(facts: ContainerFacts, container: Container, ended: Terminated, look: _Look, *, terminating: bool) -> None:
    seen_ms = look.seen_ms
    started, finished = time_ms(ended.started_at), time_ms(ended.finished_at)
    key = ended.container_id or f"{finished or ''}/{ended.exit_code}/{ended.reason}"
    for known in facts.ends:
        if known.key == key:
            known.terminating = known.terminating and terminating
            if ended.message and not known.message:
                known.message = ended.message
            return
    at = seen_ms if finished is None else min(finished + look.skew_ms, seen_ms)
    if look.before_ms is not None and look.before_ms - at > _BEHIND_MS:
        # It was not there at the last look: the node's clock is behind.
        at = seen_ms
    facts.ends.append(
        End(
            key=key,
            exit_code=ended.exit_code,
            signal=ended.signal,
            reason=ended.reason,
            message=ended.message[:SIGNAL_TEXT_MAX] if ended.message else None,
            started_ms=started,
            finished_ms=finished,
            at_ms=at,
            seen_ms=seen_ms,
            source_id=look.source_id,
            terminating=terminating,
            image=container.image,
            restart_count=container.restart_count,
        )
    )
    facts.ends.sort(key=lambda end: (end.at_ms, end.restart_count or 0, end.key))
    del facts.ends[:-MAX_ENDS]


def _merge_state(facts: ContainerFacts, container: Container, pod: Pod, track: Track, seen_ms: int, *, live: bool) -> None:
    count = container.restart_count
    if count is not None and (not facts.restarts or facts.restarts[-1][1] != count):
        facts.restarts.append((seen_ms, count))
        del facts.restarts[:-MAX_RESTARTS]
    state = container.state
    running = state.running if state is not None else None
    if running is not None:
        instance = container.container_id or f"{running.started_at}/{count}"
        if facts.instance != instance or facts.running_since_ms is None:
            started = time_ms(running.started_at)
            # Watched live, the receipt is surer than the node's clock; met on a first look, the node's word is all there is.
            lived = live and facts.instance is not None
            facts.running_since_ms = seen_ms if lived or started is None else min(started, seen_ms)
            facts.instance = instance
            facts.ready_since_ms = facts.unready_since_ms = None
    else:
        facts.running_since_ms = None
    _merge_readiness(facts, container, pod, seen_ms, is_running=running is not None, live=live)
    if container.started:
        facts.ever_started = True
    old = _known_container(track, container.name)
    if old is not None and _is_redefined(old, container):
        facts.definition_changed_ms = seen_ms
    _merge_waiting(facts, container, seen_ms)


def _is_redefined(old: Container, new: Container) -> bool:
    """Whether the image or the resources were changed in place: the kubelet may restart the container for that."""
    if old.image is not None and new.image is not None and old.image != new.image:
        return True
    return (old.memory_limit_bytes, old.cpu_limit_millicores, old.memory_request_bytes) != (
        new.memory_limit_bytes,
        new.cpu_limit_millicores,
        new.memory_request_bytes,
    )


def _known_container(track: Track, name: str) -> Container | None:
    if track.pod is None:
        return None
    for container in track.pod.containers:
        if container.name == name:
            return container
    return None


def _merge_readiness(
    facts: ContainerFacts, container: Container, pod: Pod, seen_ms: int, *, is_running: bool, live: bool
) -> None:
    ready = container.ready
    if ready is None:
        ready = _condition_ready(pod)
    if not is_running or ready is None:
        facts.ready_since_ms = facts.unready_since_ms = None
        return
    since = seen_ms
    if not live and facts.running_since_ms is not None:
        changed = [
            time_ms(condition.last_transition_at)
            for condition in pod.conditions
            if condition.type in ("Ready", "ContainersReady")
        ]
        known = [moment for moment in changed if moment is not None]
        since = min(seen_ms, max([facts.running_since_ms, *known]) if known else facts.running_since_ms)
    if ready:
        facts.ever_ready = True
        facts.unready_since_ms = None
        facts.ready_since_ms = facts.ready_since_ms if facts.ready_since_ms is not None else since
    else:
        facts.ready_since_ms = None
        facts.unready_since_ms = facts.unready_since_ms if facts.unready_since_ms is not None else since


def _condition_ready(pod: Pod) -> bool | None:
    for condition in pod.conditions:
        if condition.type == "Ready":
            return condition.status == "True"
    return None


_PULL_REASONS: Final = frozenset({"ErrImagePull", "ImagePullBackOff"})
_START_REASONS: Final = frozenset({"RunContainerError", "CreateContainerError", "PreStartHookError"})
_CREATE_REASONS: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "PreCreateHookError", "RunContainerError"}
)


def _merge_waiting(facts: ContainerFacts, container: Container, seen_ms: int) -> None:
    waiting = container.state.waiting if container.state is not None else None
    reason = waiting.reason if waiting is not None else None
    text = waiting.message if waiting is not None else None
    if reason != facts.waiting_reason:
        if reason == "ErrImagePull":
            facts.pull_failures += 1
        if reason in _CREATE_REASONS:
            facts.create_failures += 1
        facts.waiting_since_ms = seen_ms if reason is not None else None
        facts.waiting_reason = reason
    facts.waiting_text = text[:SIGNAL_TEXT_MAX] if text else None
    if reason == "PostStartHookError":
        # It gives way to CrashLoopBackOff at the next sync: what it said is kept.
        facts.hook_failed_ms = seen_ms
        facts.hook_error = text[:SIGNAL_TEXT_MAX] if text else None
    if reason is None or not text:
        return
    if (reason in _PULL_REASONS and "rror" in text) or reason == "ErrImagePull":
        facts.pull_error = text[:SIGNAL_TEXT_MAX]
    if reason in _START_REASONS:
        facts.start_error = text[:SIGNAL_TEXT_MAX]
    if reason in _CREATE_REASONS:
        facts.create_error = text[:SIGNAL_TEXT_MAX]
