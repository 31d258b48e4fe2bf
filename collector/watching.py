"""One resource of one cluster as an endless stream of changes: list, watch, resume, list again when the past is gone.

Small nested generators: one watch request -> resumed after its end -> listed again on 410 -> for ever. The ends of lists and
bookmarks travel in-band. It must not translate or judge objects; transport, time, waiting and chance are arguments.
"""

import threading
from collections.abc import Generator, Iterator
from typing import Final

import msgspec
import structlog

from collector.api_errors import ApiError, ApiProtocolError, GoneError, api_error
from collector.completeness import Completeness
from collector.stats import CollectorStats
from collector.watch_items import Bookmark, Change, Item, Lines, ListEnd, ListStart, Resource, Timing, Transport

_PAGE_OBJECTS: Final = "500"
_WATCH_SECONDS: Final = (240, 360)
_READ_SLACK_SECONDS: Final = 20.0
#: Some front ends close a watch of a version that is gone at once, without a word (kubernetes/kubernetes #104171).
_CLOSED_AT_ONCE_SECONDS: Final = 2.0
_EMPTY_CLOSES_MEANING_GONE: Final = 2
_STEADY_AFTER_SECONDS: Final = 30.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 15.0
_LONGEST_RETRY_AFTER_SECONDS: Final = 120.0
#: Lines that come so long without a pause do not tell whether older ones wait behind them: the server's version does.
_UNPROVED_MS: Final = 5_000
_ASK_VERSION_SECONDS: Final = 5.0
_log: Final = structlog.get_logger(__name__)


class _ListMeta(msgspec.Struct, frozen=True, rename={"resource_version": "resourceVersion", "next": "continue"}):
    resource_version: str = ""
    next: str = ""


class _Page(msgspec.Struct, frozen=True):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""


class _Object(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


_pages: Final = msgspec.json.Decoder(_Page)
_lines: Final = msgspec.json.Decoder(_Line)
_objects: Final = msgspec.json.Decoder(_Object)


class Watching:
    """Watches one resource. ``changes`` runs in one thread; ``stop`` may be called from another."""

    def __init__(
        self, transport: Transport, resource: Resource, timing: Timing, stats: CollectorStats, completeness: Completeness
    ) -> None:
        self._transport = transport
        self._resource = resource
        self._timing = timing
        self._stats = stats
        self._completeness = completeness
        self._open: Lines | None = None
        self._stop = threading.Event()
        self._requests = 0
        self._lists = 0
        self._served = False
        self._log = _log.bind(resource=resource.name, path=resource.path)

    def stop(self) -> None:
        """End ``changes`` soon, also while it waits for a line."""
        self._stop.set()
        if (lines := self._open) is not None:
            lines.close()

    def changes(self, resource_version: str | None = None, *, list_known: bool = False) -> Iterator[Item]:
        """Everything, for ever. Resumes after ``resource_version``; ``list_known`` first lists what was there at that version.

        Raises ApiError only when the very first request is refused for good (403, 404); all else is tried again until ``stop``.
        """
        forced = False
        if resource_version is not None and list_known:
            try:
                resource_version = yield from self._listed(known_version=resource_version)
            except GoneError:
                resource_version, forced = None, True
        gone = 0
        while not self._stop.is_set():
            if resource_version is None:
                resource_version = yield from self._listed(forced=forced)
            began = self._timing.monotonic()
            try:
                yield from self._resumed(resource_version)
            except GoneError as error:
                self._log.warning("watch_expired", reason=str(error))
                gone = gone + 1 if self._timing.monotonic() - began < _STEADY_AFTER_SECONDS else 0
                if gone > 1:
                    self._pause(gone, None)
                resource_version, forced = None, True

    def _listed(self, *, forced: bool = False, known_version: str | None = None) -> Generator[Item, None, str]:
        """The whole list in pages, begun again when it takes longer than the server keeps it; returns its version."""
        self._completeness.interrupted()
        attempt = 0
        while not self._stop.is_set():
            if self._lists and known_version is None:
                self._stats.relisted(self._resource.name)
            self._lists += 1
            started_ms = self._timing.now_ms()
            yield ListStart(started_ms, forced, known_version is not None)
            token = ""
            try:
                while not self._stop.is_set():
                    page = self._page(token, known_version)
                    if self._stop.is_set():
                        return ""  # without its end: what is missing from half a list is not gone
                    version, token = page.metadata.resource_version, page.metadata.next
                    for body in page.items or ():
                        yield Change("LISTED", body, "", started_ms)
                    if not token:
                        yield ListEnd(version, started_ms, known_version is not None)
                        if known_version is None:
                            self._completeness.known(started_ms)
                        return version
            except GoneError:
                if known_version is not None and not token:
                    raise
                attempt += 1
                self._log.info("list_begun_again", attempt=attempt)
                self._pause(attempt, None)
        return ""

    def _page(self, token: str, known_version: str | None) -> _Page:
        params = {**self._resource.selectors, "limit": _PAGE_OBJECTS}
        if token:
            params["continue"] = token
        elif known_version is not None:
            params |= {"resourceVersion": known_version, "resourceVersionMatch": "Exact"}
        failures = 0
        while True:
            try:
                body = self._transport.get(self._resource.path, params, accept=self._resource.list_accept)
                page = _pages.decode(body)
            except msgspec.MsgspecError as error:
                failures += 1
                self._failed(ApiProtocolError(f"GET {self._resource.path}: {error}"), failures, error)
            except GoneError:
                raise
            except ApiError as error:
                failures += 1
                self._failed(error, failures, error)
            else:
                self._served = True
                return page
            if self._stop.is_set():
                return _Page(_ListMeta(), [])

    def _resumed(self, version: str) -> Iterator[Item]:
        """Watch requests one after another, each from where the last one ended. Raises GoneError."""
        failures = empty = 0
        while not self._stop.is_set():
            began, received = self._timing.monotonic(), 0
            try:
                for item in self._once(version):
                    received, failures = received + 1, 0
                    version = item.resource_version or version
                    yield item
            except GoneError:
                raise
            except ApiError as error:
                failures = 1 if self._timing.monotonic() - began > _STEADY_AFTER_SECONDS else failures + 1
                if not self._stop.is_set():
                    self._failed(error, failures, error)
                continue
            finally:
                self._completeness.interrupted()
                self._stats.watch_ended(self._resource.name)
            if received or self._timing.monotonic() - began >= _CLOSED_AT_ONCE_SECONDS:
                empty = 0
            elif not self._stop.is_set():
                empty += 1
                if empty >= _EMPTY_CLOSES_MEANING_GONE:
                    raise GoneError(f"GET {self._resource.path}: closed at once without a word, {empty} times")
                self._pause(empty, None)

    def _once(self, version: str) -> Iterator[Change | Bookmark]:
        """One watch request, until the server ends it. Raises ApiError, also for an error within the stream."""
        low, high = _WATCH_SECONDS
        seconds = low + int((high - low) * self._timing.chance())
        params = {
            **self._resource.selectors,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        limit = self._resource.stalled_seconds or seconds + _READ_SLACK_SECONDS
        lines = self._transport.stream(
            self._resource.path, params, accept=self._resource.watch_accept, read_timeout_seconds=limit
        )
        self._open, self._served = lines, True
        self._stats.watch_connected(self._resource.name, restart=self._requests > 0)
        self._requests += 1
        try:
            if self._stop.is_set():
                return
            mark = _Mark(self._timing.now_ms())
            self._completeness.waiting(mark.asked_ms)
            for line in lines:
                now_ms = self._timing.now_ms()
                self._completeness.received(now_ms)
                item = self._item(line, now_ms)
                self._stats.received(self._resource.name, now_ms, bookmark=isinstance(item, Bookmark))
                if item is not None:
                    yield item
                    if mark.is_reached(item.resource_version):
                        self._completeness.known(mark.asked_ms)
                    elif (
                        not mark.pending and now_ms - max(mark.asked_ms, self._completeness.until(now_ms) or 0) >= _UNPROVED_MS
                    ):
                        mark = self._newest()
                self._completeness.waiting(self._timing.now_ms())
        finally:
            self._open = None
            lines.close()

    def _newest(self) -> "_Mark":
        """How far the server is. Never fails: what cannot be asked now is asked again later."""
        asked_ms = self._timing.now_ms()
        try:
            body = self._transport.get(
                self._resource.path,
                {"limit": "1"},
                accept=self._resource.list_accept,
                read_timeout_seconds=_ASK_VERSION_SECONDS,
            )
            return _Mark(asked_ms, int(_pages.decode(body).metadata.resource_version))
        except (ApiError, msgspec.MsgspecError, ValueError) as error:
            self._log.info("newest_version_unknown", reason=str(error))
            return _Mark(asked_ms)

    def _item(self, line: bytes, now_ms: int) -> Change | Bookmark | None:
        try:
            told = _lines.decode(line)
            if told.type == "ERROR":
                raise api_error(f"watch {self._resource.path}", 500, told.object)
            version = _objects.decode(told.object).metadata.resource_version
        except msgspec.MsgspecError as error:
            raise ApiProtocolError(f"watch {self._resource.path}: a line that is no change: {error}") from error
        match told.type:
            case "BOOKMARK":
                return Bookmark(version, now_ms)
            case "ADDED" | "MODIFIED" | "DELETED" as kind:
                return Change(kind, told.object, version, now_ms)
            case _:
                return None

    def _failed(self, error: ApiError, failures: int, cause: Exception) -> None:
        """Count it and wait; raise what a retry can never help: a first request that is refused."""
        self._stats.api_failed(error.label)
        if not (error.retryable or self._served):
            raise error from (None if error is cause else cause)
        self._stats.retried(self._resource.name)
        (self._log.error if not error.retryable else self._log.warning)("request_failed", reason=str(error), failures=failures)
        self._pause(failures, error.retry_after_seconds)

    def _pause(self, failures: int, retry_after_seconds: float | None) -> None:
        """Exponential, between half of it and all of it by chance; never shorter than what the server asked for."""
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10))
        pause = longest * (0.5 + 0.5 * self._timing.chance())
        if retry_after_seconds is not None:
            pause = max(pause, min(retry_after_seconds, _LONGEST_RETRY_AFTER_SECONDS) * (1 + 0.1 * self._timing.chance()))
        if self._timing.wait(pause):
            self._stop.set()


class _Mark:
    """A version of the server, None when it is not known: what is written before ``asked_ms`` has none that is higher."""

    __slots__ = ("_version", "asked_ms")

    def __init__(self, asked_ms: int, version: int | None = None) -> None:
        self.asked_ms = asked_ms
        self._version = version

    @property
    def pending(self) -> bool:
        """Whether the version is known and not reached."""
        return self._version is not None

    def is_reached(self, version: str) -> bool:
        """Whether a watch that has brought this version has brought everything before ``asked_ms``; true once."""
        if self._version is None or not version.isdecimal() or int(version) < self._version:
            return False
        self._version = None
        return True
