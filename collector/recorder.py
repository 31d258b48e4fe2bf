"""A cluster's pods, events and previous logs into a recording: the raw material of a bug report or a regression test.

The same watches as the live collector's, written as `recording` reads them. Lines are packed into gzip members of a second or two, each
written at once: what a kill leaves is a readable file. It must not judge what is worth recording, nor send anything anywhere.
"""

import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import structlog

from collector.anonymising import Anonymiser
from collector.api import DEAD_PEER_SECONDS, Api
from collector.api_errors import ApiError, ForbiddenError, NotFoundError
from collector.bounded_queue import BoundedQueue
from collector.feeds import Entry, Failed, Feed, Received, into, resources_of
from collector.logs import FetchedLog, LogFetcher, LogSettings, LogTargets
from collector.raw_values import mapping, mappings, short_text
from collector.recording import FORMAT
from collector.stats import CollectorStats
from collector.translating import TranslationError, Translator
from collector.watch_items import Change, ListEnd, ListStart, Timing
from schemas.observation import Cluster
from schemas.timestamps import format_ms

_QUEUE_ENTRIES: Final = 10_000
_QUEUE_BYTES: Final = 64 * 1024 * 1024
_FLUSH_SECONDS: Final = 2.0
_FLUSH_BYTES: Final = 1024 * 1024
_LOG_CHARACTERS: Final = 65_536
_log: Final = structlog.get_logger(__name__)


class RecordError(Exception):
    """Nothing can be recorded, or no longer: the message says why. A retry does not help."""


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """``namespaces`` empty: all. ``cluster_name`` is what diagnoses of the recording will call the cluster."""

    namespaces: tuple[str, ...] = ()
    logs: bool = True
    cluster_name: str = "recorded"


class RecordingFile:
    """A recording being written, of which every complete line can be read at any moment. A context manager."""

    def __init__(self, path: Path, anonymiser: Anonymiser | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """Create the file, readable by its owner only. Raises RecordError, also when it exists."""
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except FileExistsError as error:
            raise RecordError(f"{path}: exists already") from error
        except OSError as error:
            raise RecordError(f"{path}: {error.strerror or error}") from error
        self._path, self._anonymiser, self._now = path, anonymiser, now
        self._lines: list[bytes] = []
        self._size = 0
        self._flushed_at = now()
        self.written = 0
        """How many lines so far."""

    def __enter__(self) -> Self:
        """Nothing to do: it is open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Write what is left, and close."""
        try:
            self.flush()
        finally:
            os.close(self._descriptor)

    def write(self, line: Mapping[str, Any]) -> None:
        """One line. Raises RecordError when the disk does not take it."""
        content = line if self._anonymiser is None else self._anonymiser.line(line)
        if content is None:
            return
        packed = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        self._lines.append(packed)
        self._size += len(packed)
        self.written += 1
        self.flush_when_due()

    def flush_when_due(self) -> None:
        """Write when enough has come together, or has waited long enough."""
        if self._size >= _FLUSH_BYTES or (self._lines and self._now() - self._flushed_at >= _FLUSH_SECONDS):
            self.flush()

    def flush(self) -> None:
        """Write all lines as one gzip member. Raises RecordError."""
        self._flushed_at = self._now()
        if not self._lines:
            return
        member = memoryview(gzip.compress(b"".join(self._lines), compresslevel=6))
        self._lines, self._size = [], 0
        try:
            while member:
                member = member[os.write(self._descriptor, member) :]
        except OSError as error:
            raise RecordError(f"{self._path}: {error.strerror or error}") from error


class Recorder:
    """Records one cluster into a file until the end is asked for."""

    def __init__(self, api: Api, settings: RecorderSettings, stats: CollectorStats | None = None) -> None:
        self._api, self._settings = api, settings
        self._stats = stats or CollectorStats()
        self._ended = threading.Event()
        self._timing = Timing(wait=self._ended.wait)
        self._queue: BoundedQueue[Entry] = BoundedQueue(entries=_QUEUE_ENTRIES, size_bytes=_QUEUE_BYTES)
        self._targets = LogTargets(self._stats)
        self._translator = Translator(Cluster(name="", uid=""))
        self._known: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._listing: dict[str, set[str]] = {}

    def run(self, file: RecordingFile, stop: threading.Event, duration_seconds: float | None = None) -> None:
        """Record until ``stop``, at most that long. Raises RecordError, ApiError when the cluster cannot be asked at all."""
        file.write(self._first_line())
        file.flush()
        until = None if duration_seconds is None else time.monotonic() + duration_seconds
        feeds = self._feeds()
        try:
            for feed in feeds:
                feed.start(into(self._queue, feed.name), self._refused(feed.name))
            if self._settings.logs:
                self._fetch_logs()
            while not stop.is_set() and (until is None or time.monotonic() < until):
                entry = self._queue.get(0.2)
                if entry is not None:
                    self._take(file, entry[1])
                file.flush_when_due()
        finally:
            self._ended.set()
            for feed in feeds:
                feed.stop()
            self._queue.close()
            self._targets.close()
            for feed in feeds:
                feed.join()
        file.write({"t": format_ms(self._timing.now_ms()), "stream": "end"})

    def _first_line(self) -> dict[str, Any]:
        try:
            uid = short_text(mapping(_decoded(self._api.get("/api/v1/namespaces/kube-system")).get("metadata")).get("uid"))
        except (ForbiddenError, NotFoundError) as error:
            raise RecordError(f"the UID of the namespace kube-system is needed: {error}") from error
        first = {"stream": "recording", "format": FORMAT, "cluster": {"name": self._settings.cluster_name, "uid": uid or ""}}
        try:
            first["kubernetes"] = short_text(_decoded(self._api.get("/version")).get("gitVersion")) or ""
            nodes = mappings(_decoded(self._api.get("/api/v1/nodes", {"limit": "1"})).get("items"))
        except ForbiddenError:
            return first  # neither is among the collector's rights, and neither is needed
        if nodes:
            runtime = short_text(mapping(mapping(nodes[0].get("status")).get("nodeInfo")).get("containerRuntimeVersion"))
            first["runtime"] = (runtime or "").replace("://", " ")
        return first

    def _feeds(self) -> list[Feed]:
        """Pods before events: their names are then known when messages are anonymised."""
        found = resources_of("pods", self._settings.namespaces, ()) | _all_events(self._settings.namespaces)
        return [
            Feed(name, resource, self._api, self._timing, self._stats, DEAD_PEER_SECONDS) for name, resource in found.items()
        ]

    def _refused(self, name: str) -> Callable[[ApiError], object]:
        return lambda error: self._queue.put(Failed(name, error))

    def _fetch_logs(self) -> None:
        fetcher = LogFetcher(
            self._api,
            self._targets,
            LogSettings(),
            self._stats,
            deliver=lambda fetched: self._queue.put(fetched, len(fetched.text)),
            wait=self._ended.wait,
        )
        threading.Thread(target=fetcher.run, name="logs", daemon=True).start()

    def _take(self, file: RecordingFile, entry: Entry) -> None:
        match entry:
            case Failed(feed=feed, error=error):
                raise RecordError(f"{feed}: {error}") from error
            case FetchedLog():
                self._log_came(file, entry)
            case Received(feed=feed, item=ListStart()):
                self._listing[feed] = set()
            case Received(feed=feed, item=ListEnd(started_ms=started_ms)):
                self._listed(file, feed, started_ms)
            case Received(feed=feed, item=Change() as change):
                self._changed(file, feed, change)

    def _changed(self, file: RecordingFile, feed: str, change: Change) -> None:
        raw = _decoded(bytes(change.body))
        stream = feed.partition("/")[0]
        metadata = mapping(raw.get("metadata"))
        uid = short_text(metadata.get("uid")) or ""
        if stream == "pods":
            # Lists leave the kind of their items out; a watch does not (apimachinery pkg/apis/meta/v1, List).
            raw = {"kind": "Pod", "apiVersion": "v1"} | dict(raw)
            known = self._known.setdefault(feed, {})
            if change.type == "DELETED":
                known.pop(uid, None)
                self._targets.forget(uid)
            else:
                known[uid] = {key: metadata.get(key) for key in ("name", "namespace", "uid", "resourceVersion")}
                self._consider(raw, change.received_ms)
            self._listing.setdefault(feed, set()).add(uid)
        else:
            raw = {"kind": "Event", "apiVersion": "v1"} | dict(raw)
        kind = "ADDED" if change.type == "LISTED" else change.type
        file.write({"t": format_ms(change.received_ms), "stream": stream, "type": kind, "object": raw})

    def _listed(self, file: RecordingFile, feed: str, started_ms: int) -> None:
        """A list that lacks a pod that was known: it went while nothing could be seen."""
        seen, known = self._listing.pop(feed, set()), self._known.get(feed, {})
        for uid in [uid for uid in known if uid not in seen]:
            gone = {"kind": "Pod", "apiVersion": "v1", "metadata": known.pop(uid)}
            self._targets.forget(uid)
            file.write({"t": format_ms(started_ms), "stream": "pods", "type": "DELETED", "object": gone})

    def _consider(self, raw: Mapping[str, Any], received_ms: int) -> None:
        try:
            self._targets.consider(self._translator.pod(dict(raw), format_ms(received_ms)).pod, received_ms)
        except TranslationError as error:
            _log.warning("pod_without_a_name", reason=str(error))

    def _log_came(self, file: RecordingFile, fetched: FetchedLog) -> None:
        target = fetched.target
        if not self._targets.settled(target):
            return
        # The instance that ended, counted as the shared recordings do: the restarts before it.
        restarts = target.restart_count
        if target.previous and restarts:
            restarts -= 1
        file.write(
            {
                "t": format_ms(self._timing.now_ms()),
                "stream": "log",
                "namespace": target.namespace,
                "pod": target.pod_name,
                "uid": target.pod_uid,
                "container": target.container,
                "restart_count": restarts,
                "previous": target.previous,
                "container_id": target.container_id,
                "text": fetched.text[-_LOG_CHARACTERS:],
                "error": None,
            }
        )


def _all_events(namespaces: tuple[str, ...]) -> dict[str, Any]:
    """Events on every kind of object: those on ReplicaSets and Jobs explain what pods alone do not."""
    found = resources_of("events", namespaces, ())
    return {name: type(one)(one.name, one.path, {}, stalled_seconds=one.stalled_seconds) for name, one in found.items()}


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        return mapping(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
