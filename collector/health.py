"""Whether the collector is alive and does its work, for probes and Prometheus: judged from its own counters, over plain HTTP.

``/livez`` says whether a restart would help, ``/readyz`` whether observations flow, ``/metrics`` the numbers. A standby is ready,
since it is there to take over, and says that it is a standby. Judging is pure; it must not restart, stop or repair anything.
"""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

import structlog

from collector.stats import CollectorStats, ResourceStats, StatsSnapshot

#: Without these two nothing can be diagnosed; other watches only add to what is said.
_NEEDED: Final = ("events", "pods")
_TEXT: Final = "text/plain; charset=utf-8"
_log: Final = structlog.get_logger(__name__)


class HealthError(Exception):
    """The port cannot be used. A retry does not help while another has it."""


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """After how many seconds what is meant to happen is missing."""

    watch_seconds: float = 60.0
    """A watch that has proved nothing new for so long has stalled."""

    bookmark_seconds: float = 180.0
    """So long without a line on a watch that gets bookmarks (the API server sends one a minute), and it has stalled too."""

    kafka_seconds: float = 30.0
    """An observation that Kafka has not acknowledged for so long."""

    loop_seconds: float = 120.0
    """The publishing loop has not come round for so long."""


@dataclass(frozen=True, slots=True)
class Leadership:
    """The place of this process among its replicas. ``refusal``: why it cannot even compete."""

    leading: bool
    holder: str | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``good``, and what there is to say: the faults, or what it is doing."""

    good: bool
    words: tuple[str, ...]


class Elector(Protocol):
    """What of `collector.leading.LeaseElector` is asked here."""

    @property
    def holder(self) -> str | None:
        """Who holds the Lease."""
        ...

    @property
    def refusal(self) -> str | None:
        """Why the Lease cannot be used."""
        ...

    def leading(self) -> bool:
        """Whether this process leads."""
        ...


class Heartbeat:
    """When the publishing loop last came round. ``beat`` is for the loop, on every turn, also while it waits for Kafka."""

    __slots__ = ("_at", "_now")

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._at: float | None = None

    def beat(self) -> None:
        """The loop runs."""
        self._at = self._now()

    def heard(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """A question that the loop asks on every turn (whether it still leads), as one that beats."""

        def beating() -> bool:
            self.beat()
            return ask()

        return beating

    def rest(self) -> None:
        """The loop has ended on purpose: from now on none is missed."""
        self._at = None

    def age_seconds(self) -> float | None:
        """Seconds since the last beat; None when no loop runs."""
        at = self._at
        return None if at is None else self._now() - at


def judge_readiness(
    stats: StatsSnapshot, now_ms: int, limits: HealthLimits | None = None, leadership: Leadership | None = None
) -> Verdict:
    """Whether observations flow, or would if this process led. ``now_ms`` is Unix time; no leadership: there is no election."""
    limits = limits or HealthLimits()
    if leadership is not None and leadership.refusal is not None:
        return Verdict(good=False, words=(f"the Lease cannot be used: {leadership.refusal}",))
    if leadership is not None and not leadership.leading:
        return Verdict(good=True, words=(f"standby: {leadership.holder or 'nobody yet'} leads",))
    if stats.started_ms is None:
        return Verdict(good=False, words=("not collecting yet",))
    faults = [
        fault
        for name in _NEEDED
        if (fault := _watch_fault(name, stats.resources.get(name), stats.started_ms, now_ms, limits)) is not None
    ]
    waiting = _kafka_waits_seconds(stats, now_ms)
    if waiting > limits.kafka_seconds:
        faults.append(f"Kafka has not acknowledged for {waiting:.0f} s ({stats.unacknowledged} unacknowledged)")
    if faults:
        return Verdict(good=False, words=tuple(faults))
    return Verdict(good=True, words=("collecting" if leadership is None else "leading and collecting",))


def judge_liveness(
    stats: StatsSnapshot, now_ms: int, loop_age_seconds: float | None, limits: HealthLimits | None = None
) -> Verdict:
    """Whether a restart would not help: false only when the publishing loop hangs by itself, not when it waits for Kafka."""
    limits = limits or HealthLimits()
    if loop_age_seconds is None or loop_age_seconds <= limits.loop_seconds:
        return Verdict(good=True, words=("alive",))
    if _kafka_waits_seconds(stats, now_ms) > limits.kafka_seconds:
        return Verdict(good=True, words=(f"alive; waiting for Kafka for {loop_age_seconds:.0f} s",))
    return Verdict(good=False, words=(f"the publishing loop has hung for {loop_age_seconds:.0f} s",))


def _watch_fault(name: str, watch: ResourceStats | None, started_ms: int, now_ms: int, limits: HealthLimits) -> str | None:
    watch = watch or ResourceStats()
    proved_ms = max(started_ms, watch.complete_until_ms or 0)
    behind = (now_ms - proved_ms) / 1000
    if behind > limits.watch_seconds:
        state = "connected" if watch.connected else "not connected"
        return f"the watch of {name} has brought nothing new for {behind:.0f} s ({state})"
    if watch.complete_until_ms is None:
        return f"the first list of {name} is not through"
    if watch.connected and watch.last_bookmark_ms is not None:
        silent = (now_ms - max(watch.last_bookmark_ms, watch.last_receipt_ms or 0, started_ms)) / 1000
        if silent > limits.bookmark_seconds:
            return f"the watch of {name} has had no bookmark for {silent:.0f} s"
    return None


def _kafka_waits_seconds(stats: StatsSnapshot, now_ms: int) -> float:
    oldest = stats.oldest_unacknowledged_ms
    return 0.0 if oldest is None or not stats.unacknowledged else max((now_ms - oldest) / 1000, 0.0)


class HealthServer:
    """Answers /livez, /readyz and /metrics on one port, for every address of the machine. A context manager."""

    def __init__(
        self,
        port: int,
        stats: CollectorStats,
        *,
        elector: Elector | None = None,
        heartbeat: Heartbeat | None = None,
        limits: HealthLimits | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Take the port (0: any that is free). Raises HealthError."""
        from collector.metrics import exposition

        self._stats, self._elector, self._heartbeat = stats, elector, heartbeat
        self._limits = limits or HealthLimits()
        self._now_ms = now_ms
        self._exposition = exposition
        try:
            self._server = _Server(("", port), self._handler())
        except (OSError, OverflowError) as error:
            raise HealthError(f"health port {port}: {error}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="health", daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        _log.info("health_served", port=self.port)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.server_address[1])

    def ready(self) -> Verdict:
        """The verdict of /readyz."""
        return judge_readiness(self._stats.snapshot(), self._now_ms(), self._limits, self._leadership())

    def live(self) -> Verdict:
        """The verdict of /livez."""
        age = None if self._heartbeat is None else self._heartbeat.age_seconds()
        return judge_liveness(self._stats.snapshot(), self._now_ms(), age, self._limits)

    def _leadership(self) -> Leadership | None:
        one = self._elector
        return None if one is None else Leadership(one.leading(), one.holder, one.refusal)

    def _answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        if path == "/metrics":
            leadership = self._leadership()
            ready = judge_readiness(self._stats.snapshot(), self._now_ms(), self._limits, leadership).good
            leading = None if leadership is None else leadership.leading
            body, kind = self._exposition(self._stats.snapshot(), self._now_ms(), leading=leading, ready=ready)
            return HTTPStatus.OK, kind, body
        if path not in ("/livez", "/readyz"):
            return HTTPStatus.NOT_FOUND, _TEXT, b"there are /livez, /readyz and /metrics\n"
        verdict = self.live() if path == "/livez" else self.ready()
        status = HTTPStatus.OK if verdict.good else HTTPStatus.SERVICE_UNAVAILABLE
        return status, _TEXT, "".join(f"{line}\n" for line in verdict.words).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            """One connection; its client has ten seconds."""

            timeout = 10
            server_version = "podcause"
            sys_version = ""

            def do_GET(self) -> None:
                """Answer."""
                status, kind, body = answer(urlsplit(self.path).path)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815 - http.server's name

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Probes are not worth a line each."""

        return Handler


class _Server(ThreadingHTTPServer):
    """On IPv6 and IPv4 where the system has both."""

    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind for both families."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - socketserver's signature
        """A client that went away in the middle is no error of ours."""
        _log.debug("health_request_broken", exc_info=True)
