"""Recordings as a stream of observations, in order of receipt, with clocks derived from the recordings' own time.

The one source for `podcause collect --replay` and `podcause diagnose`: what makes both give the same records. It must not know
Kafka, must not wait (pacing is `collector.pacing`), and must not look at the wall clock.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog

from collector.raw_values import count, short_text
from collector.recording import Header, Line, RecordingError, lines_of, read_header, read_lines
from collector.settings import CollectorSettings
from collector.significance import LastPublished
from collector.translating import TranslationError, Translator
from schemas.observation import Cluster, Observation
from schemas.timestamps import format_ms

__all__ = ["RecordingError", "replay", "replay_lines"]

#: What a cluster without a name or UID is called (contract section 3, "Offline").
OFFLINE: Final = "offline"
#: After this much silence everything has expired (contract section 3): clocks in a longer one are left out, except the last.
_LONGEST_CLOCKED_SILENCE_MS: Final = 26 * 3_600_000

_log: Final = structlog.get_logger(__name__)


def replay(
    paths: Sequence[Path], cluster_name: str | None = None, settings: CollectorSettings | None = None
) -> Iterator[Observation]:
    """The observations of one or several recordings, merged by time. Raises RecordingError.

    ``cluster_name`` overrides the recordings' name for their cluster. Files are read as the stream is consumed.
    """
    return replay_lines([(str(path), lines_of(path)) for path in paths], cluster_name, settings)


def replay_lines(
    sources: Sequence[tuple[str, Iterable[bytes]]], cluster_name: str | None = None, settings: CollectorSettings | None = None
) -> Iterator[Observation]:
    """As ``replay``, from lines; each source has the name that messages call it by."""
    settings = settings or CollectorSettings()
    override = cluster_name or settings.cluster_name
    clusters: dict[str, _ClusterReplay] = {}
    streams: list[Iterator[tuple[_ClusterReplay, Line]]] = []
    for name, raw in sources:
        lines = iter(raw)
        cluster = _cluster(read_header(name, lines), override)
        one = clusters.setdefault(cluster.uid, _ClusterReplay(cluster, settings))
        streams.append(_in_order(name, one, read_lines(name, lines)))
    for one, line in heapq.merge(*streams, key=lambda item: item[1].received_ms):
        yield from one.take(line)
    for one in clusters.values():
        yield from one.end()


def _cluster(header: Header, override: str | None) -> Cluster:
    return Cluster(name=override or header.cluster_name or OFFLINE, uid=header.cluster_uid or OFFLINE)


def _in_order(name: str, one: "_ClusterReplay", lines: Iterable[Line]) -> Iterator[tuple["_ClusterReplay", Line]]:
    """The lines with times that never go back: order of receipt is the order, a step of the recorder's clock is not."""
    last: Line | None = None
    for line in lines:
        if last is not None and last.stream == "end":
            raise RecordingError(f'{line.where}: field "stream": nothing comes after the line "end"')
        if last is not None and line.received_ms < last.received_ms:
            line = Line(line.where, last.received_ms, last.received_at, line.stream, line.content)  # noqa: PLW2901 - the corrected line
        last = line
        yield one, line
    if last is None or last.stream != "end":
        _log.warning("recording_cut_off", file=name, taken_as_end=None if last is None else last.received_at)


class _ClusterReplay:
    """One cluster's part of the replay: its translation, what was published, and its clock."""

    def __init__(self, cluster: Cluster, settings: CollectorSettings) -> None:
        self._translator = Translator(cluster, settings.translation)
        self._published = LastPublished()
        self._clock_ms = settings.clock_seconds * 1000
        self._reached_ms: int | None = None

    def take(self, line: Line) -> Iterator[Observation]:
        """The clocks that are due before the line, then what the line says."""
        yield from self._clocks_before(line.received_ms)
        self._reached_ms = line.received_ms
        try:
            observation = self._observation(line)
        except TranslationError as error:
            raise RecordingError(f'{line.where}: field "object": {error}') from error
        if observation is not None:
            yield observation

    def end(self) -> Iterator[Observation]:
        """The last clock: complete up to the last line."""
        if self._reached_ms is not None:
            yield self._translator.clock(format_ms(self._reached_ms))

    def _clocks_before(self, received_ms: int) -> Iterator[Observation]:
        """A clock at each multiple of the interval that lies before the time: what comes at that very time belongs to it."""
        if self._reached_ms is None:
            return
        # A clock at the time reached by the last line is still due: only now is it known that no more came at it.
        due_ms = -(-self._reached_ms // self._clock_ms) * self._clock_ms
        silent_from_ms = due_ms + _LONGEST_CLOCKED_SILENCE_MS
        while due_ms < received_ms:
            yield self._translator.clock(format_ms(due_ms))
            due_ms += self._clock_ms
            if due_ms > silent_from_ms:
                due_ms = max(due_ms, (received_ms - 1) // self._clock_ms * self._clock_ms)

    def _observation(self, line: Line) -> Observation | None:
        content = line.content
        if line.stream == "pods":
            return self._pod(line)
        if line.stream == "events":
            event = self._translator.event(content["object"], line.received_at, content["type"])
            if event is None:
                self._forget_event(line)
                return None
            return event if self._published.is_news(event.event) else None
        if line.stream == "log":
            return self._translator.log(
                namespace=short_text(content["namespace"]) or "",
                pod_name=short_text(content["pod"]) or "",
                container=short_text(content["container"]) or "",
                text=content.get("text"),
                observed_at=line.received_at,
                pod_uid=short_text(content.get("uid")),
                container_id=short_text(content.get("container_id")),
                restart_count=count(content.get("restart_count")),
            )
        return None  # a note, the end, or a stream of a later format: time passes, nothing is said

    def _pod(self, line: Line) -> Observation | None:
        if line.content["type"] == "DELETED":
            deleted = self._translator.pod_deleted(line.content["object"], line.received_at)
            self._published.forget_pod(deleted.pod)
            return deleted
        pod = self._translator.pod(line.content["object"], line.received_at)
        return pod if self._published.is_news(pod.pod) else None

    def _forget_event(self, line: Line) -> None:
        metadata = line.content["object"].get("metadata")
        if isinstance(metadata, dict):
            self._published.forget_event(short_text(metadata.get("uid")))
