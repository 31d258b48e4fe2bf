"""Logs of terminated containers: which to fetch, once per termination, and no more of them than the rate allows.

The choice is pure and bounded; one thread fetches. Whether a fetched log is still the one that was meant is decided after it
came, against the pod's newest state. It must not redact or cut: the translator does.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from collector.api_errors import ApiError, ForbiddenError
from collector.stats import CollectorStats
from collector.watch_items import Transport
from schemas.observation import Container, Pod
from schemas.timestamps import parse_ms

_WAITING_MAX: Final = 1_000
_DONE_MAX: Final = 20_000
#: An older end explains nothing that is going on.
_OLDEST_END_MS: Final = 3_600_000
_READ_SECONDS: Final = 10.0
_ASK_AGAIN_SECONDS: Final = 2.0
_ATTEMPTS: Final = 3
#: Answers with status 200 that are no log; what they mean for a record is the translator's.
_APOLOGIES: Final = ("unable to retrieve container logs for ", "failed to try resolving symlinks in path ")
#: The server cuts at the end what exceeds its limit, we at the beginning: so it is asked for more than is carried.
_FETCHED_PER_CARRIED_BYTE: Final = 4
_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How much is fetched, and how often."""

    lines: int = 25
    size_bytes: int = 16_384
    per_second: float = 2.0
    """The sustained rate of requests."""

    burst: int = 10
    """How many may be made at once after a quiet time."""


@dataclass(frozen=True, slots=True)
class LogTarget:
    """One terminated container instance. ``previous``: another instance has been started, or is about to be."""

    namespace: str
    pod_name: str
    pod_uid: str
    container: str
    container_id: str
    previous: bool
    restart_count: int | None = None


@dataclass(frozen=True, slots=True)
class FetchedLog:
    """What the API server answered."""

    target: LogTarget
    text: str


class TokenBucket:
    """So many a second, and a few at once. Time is an argument (seconds, monotonic)."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second, self._burst = per_second, burst
        self._tokens, self._at = float(burst), 0.0

    def wait_seconds(self, now: float) -> float:
        """0 and a token is taken, or how long to wait for the next."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second) if self._at else self._tokens
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second


class LogTargets:
    """Which logs are wanted: the newest termination of each container, once. Threads may share it."""

    def __init__(self, stats: CollectorStats) -> None:
        self._stats = stats
        self._changed = threading.Condition()
        self._current: dict[str, dict[str, LogTarget]] = {}
        self._waiting: OrderedDict[tuple[str, str], LogTarget] = OrderedDict()
        self._fetching: LogTarget | None = None
        self._done: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._closed = False

    def consider(self, pod: Pod, now_ms: int) -> None:
        """A pod's newest state: what ended in it and is not done yet is wanted."""
        uid = pod.uid
        if uid is None:
            return
        targets = {one.container: one for container in pod.containers if (one := _target(pod, uid, container, now_ms))}
        with self._changed:
            self._current[uid] = targets
            if not targets:
                del self._current[uid]
            if pod.deletion_at is not None:
                return
            for target in targets.values():
                self._want(target)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        with self._changed:
            for container in self._current.pop(uid, {}):
                self._waiting.pop((uid, container), None)

    def take(self, timeout_seconds: float) -> LogTarget | None:
        """The oldest that is wanted; None when there is none within the time."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_seconds)
            if not self._waiting or self._closed:
                return None
            _, self._fetching = self._waiting.popitem(last=False)
            return self._fetching

    def settled(self, target: LogTarget) -> bool:
        """An answer for the target is here: whether it is still the one that was meant; then it is done."""
        with self._changed:
            if self._fetching == target:
                self._fetching = None
            now = self._current.get(target.pod_uid, {}).get(target.container)
            if now is None or now.container_id != target.container_id or now.previous != target.previous:
                if now is not None:
                    self._want(now)
                return False
            self._done[target.pod_uid, target.container_id] = None
            while len(self._done) > _DONE_MAX:
                self._done.popitem(last=False)
            return True

    def close(self) -> None:
        """Release the thread that waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _want(self, target: LogTarget) -> None:
        key = (target.pod_uid, target.container)
        if (target.pod_uid, target.container_id) in self._done or self._fetching == target:
            return
        replaced = self._waiting.get(key)
        if replaced is not None and replaced.container_id != target.container_id:
            self._stats.log_fetched("limited")
        self._waiting[key] = target
        if len(self._waiting) > _WAITING_MAX:
            self._waiting.popitem(last=False)
            self._stats.log_fetched("limited")
        self._changed.notify_all()


class LogFetcher:
    """Fetches what is wanted, one after another; ``deliver`` takes the answers, in the fetching thread."""

    def __init__(
        self,
        transport: Transport,
        targets: LogTargets,
        settings: LogSettings,
        stats: CollectorStats,
        *,
        deliver: Callable[[FetchedLog], object],
        wait: Callable[[float], bool],
    ) -> None:
        self._transport = transport
        self._targets = targets
        self._settings = settings
        self._stats = stats
        self._deliver = deliver
        self._wait = wait

    def run(self) -> None:
        """Until ``wait`` says that the end was asked for, or logs are not granted."""
        bucket = TokenBucket(self._settings.per_second, self._settings.burst)
        while not self._wait(0):
            target = self._targets.take(1.0)
            if target is None:
                continue
            while (seconds := bucket.wait_seconds(time.monotonic())) > 0:
                if self._wait(seconds):
                    return
            try:
                text = self._fetched(target)
            except ForbiddenError as error:
                self._stats.log_fetched("failed")
                _log.error("logs_not_granted", missing="get on pods/log", reason=str(error))
                return
            except ApiError as error:
                self._stats.log_fetched("failed")
                _log.info("log_not_fetched", pod=target.pod_name, container=target.container, reason=str(error))
                self._targets.settled(target)
            else:
                self._stats.log_fetched("ok")
                self._deliver(FetchedLog(target, text))

    def _fetched(self, target: LogTarget) -> str:
        """The text; asked for again after an error that may pass, and once after an apology of the API server."""
        apologised = False
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                text = self._once(target)
            except ApiError as error:
                self._stats.api_failed(error.label)
                if attempt == _ATTEMPTS or not error.retryable or self._wait(_ASK_AGAIN_SECONDS * attempt):
                    raise
                continue
            if apologised or not text.startswith(_APOLOGIES):
                break
            apologised = True
            self._wait(_ASK_AGAIN_SECONDS)
        return text

    def _once(self, target: LogTarget) -> str:
        params = {
            "container": target.container,
            "tailLines": str(self._settings.lines),
            "limitBytes": str(self._settings.size_bytes * _FETCHED_PER_CARRIED_BYTE),
        }
        if target.previous:
            params["previous"] = "true"
        path = f"/api/v1/namespaces/{target.namespace}/pods/{target.pod_name}/log"
        body = self._transport.get(path, params, accept="*/*", read_timeout_seconds=_READ_SECONDS)
        return body.decode("utf-8", "replace")


def _target(pod: Pod, uid: str, container: Container, now_ms: int) -> LogTarget | None:
    """The newest end of the container that may need an explanation."""
    state, last = container.state, container.last_state
    ended = state.terminated if state is not None else None
    previous = ended is None
    if ended is None and last is not None:
        ended = last.terminated
    if ended is None or ended.container_id is None:
        return None
    if ended.exit_code == 0 and (container.type == "init" or pod.restart_policy in ("Never", "OnFailure")):
        return None
    if ended.finished_at is not None and now_ms - parse_ms(ended.finished_at) > _OLDEST_END_MS:
        return None
    return LogTarget(
        namespace=pod.namespace,
        pod_name=pod.name,
        pod_uid=uid,
        container=container.name,
        container_id=ended.container_id,
        previous=previous,
        restart_count=container.restart_count,
    )
