"""The live collector: sessions one after another, each from the last resume point, until the end is asked for.

A session is everything that hangs on one producer: when Kafka does not take something, or leadership is lost, all of it is
dropped and the next one begins where Kafka's acknowledgements ended. It must not know how flags are written.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
import structlog

from collector.api import Api
from collector.api_errors import ApiError, ForbiddenError
from collector.checkpointing import Checkpoint, ClusterMismatchError, read_checkpoint
from collector.logs import LogSettings
from collector.publishing import AbandonedError, Ending, Publisher, PublishError, ensure_topics
from collector.session import LeadershipLostError, Session, SessionSettings
from collector.settings import CollectorSettings
from collector.stats import CollectorStats
from schemas.kafka_settings import KafkaSettings
from schemas.observation import Cluster
from schemas.timestamps import parse_ms
from schemas.topics import CHECKPOINTS, OBSERVATIONS

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 15.0
_STEADY_AFTER_SECONDS: Final = 60.0
_STANDBY_SECONDS: Final = 0.2
_SILENT_AFTER_MS: Final = 120_000
_MAX_UNACKNOWLEDGED: Final = 5_000
#: Of the grace time, at most a quarter: to close connections and to release the Lease.
_CLOSING_SECONDS: Final = 2.0
_log: Final = structlog.get_logger(__name__)


class LiveError(Exception):
    """The collector cannot work as it is set up; the message says what to change. A retry does not help."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What the live collector is told besides `CollectorSettings`, whose ``cluster_name`` it needs."""

    collector: CollectorSettings
    namespaces: tuple[str, ...] = ()
    """Only these; empty means all."""

    excluded_namespaces: tuple[str, ...] = ()
    logs: LogSettings | None = field(default_factory=LogSettings)
    """None: no log is fetched."""

    partitions: int = 6
    replication_factor: int | None = None
    create_topics: bool = True
    delivery_timeout_seconds: float = 120.0
    """How long Kafka may take to acknowledge before everything unacknowledged is dropped and read again from the cluster."""

    grace_seconds: float = 10.0
    """How long the end may take: what Kafka has not acknowledged by then is read again by the next run."""


class LiveCollector:
    """Collects from one cluster. ``run`` returns when ``stop`` is set."""

    def __init__(self, api: Api, kafka: KafkaSettings, settings: LiveSettings, stats: CollectorStats | None = None) -> None:
        if settings.collector.cluster_name is None:
            raise LiveError("a live cluster needs a name (--cluster)")
        self._api = api
        self._kafka = kafka
        self._settings = settings
        self._name = settings.collector.cluster_name
        self.stats = stats or CollectorStats()
        self._worked = False
        self._publisher: Publisher | None = None

    def leadership_changed(self, leading: bool) -> None:  # noqa: FBT001 - an elector's on_change
        """For an elector: when leading ends, nothing more goes to Kafka from this moment on, whatever the loop waits for."""
        publisher = self._publisher
        if not leading and publisher is not None:
            publisher.cut()

    def run(self, stop: threading.Event, is_leader: Callable[[], bool] = lambda: True) -> None:
        """Collect until ``stop``; only while ``is_leader`` says so, which is asked before each observation.

        Raises LiveError when the set-up is wrong, and before anything has worked also PublishError and ApiError that no
        retry can help.
        """
        grace = self._settings.grace_seconds
        ending = Ending(stop, grace - min(_CLOSING_SECONDS, grace / 4))
        pause = _FIRST_PAUSE_SECONDS
        while not stop.is_set():
            if not is_leader():
                self.stats.collecting(None)
                stop.wait(_STANDBY_SECONDS)
                continue
            began = time.monotonic()
            try:
                self._session(ending, is_leader)
                continue
            except (LeadershipLostError, AbandonedError):
                _log.warning("leadership_lost", cluster=self._name)
                continue
            except ClusterMismatchError as error:
                raise LiveError(str(error)) from error
            except PublishError as error:
                self.stats.publish_failed()
                if not (error.retryable or self._worked):
                    raise
                _log.error("kafka_failed", cluster=self._name, reason=str(error))
            except ForbiddenError as error:
                self.stats.api_failed(error.label)
                if not self._worked:
                    raise LiveError(f"a rule is missing for the collector's account: {error}") from error
                _log.error("api_refused", cluster=self._name, reason=str(error))
            except ApiError as error:
                self.stats.api_failed(error.label)
                if not (error.retryable or self._worked):
                    raise
                _log.warning("api_failed", cluster=self._name, reason=str(error))
            finally:
                self.stats.collecting(None)
            pause = _FIRST_PAUSE_SECONDS if time.monotonic() - began > _STEADY_AFTER_SECONDS else pause
            stop.wait(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)

    def cluster(self) -> Cluster:
        """The cluster's name and the UID of its kube-system namespace. Raises ApiError."""
        body = self._api.get("/api/v1/namespaces/kube-system", read_timeout_seconds=15.0)
        try:
            return Cluster(name=self._name, uid=str(msgspec.json.decode(body)["metadata"]["uid"]))
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            raise ApiError(f"GET /api/v1/namespaces/kube-system: no namespace: {error}") from error

    def _session(self, ending: Ending, is_leader: Callable[[], bool]) -> None:
        settings = self._settings
        prepared = self._prepared(ending, is_leader)
        if prepared is None:
            return
        self._publisher = publisher = prepared.publisher
        ended_well = False
        try:
            self._warn_of_silent(prepared.found.other_clusters)
            session = Session(
                self._api,
                publisher,
                prepared.cluster,
                prepared.found,
                SessionSettings(
                    collector=settings.collector,
                    namespaces=settings.namespaces,
                    excluded_namespaces=settings.excluded_namespaces,
                    logs=settings.logs,
                ),
                self.stats,
            )
            self.stats.collecting(time.time_ns() // 1_000_000)
            try:
                session.run(ending, is_leader)
            finally:
                self._worked = self._worked or session.worked
            ended_well = True
        finally:
            self._publisher = None
            if ended_well:
                publisher.close()
            else:
                publisher.abandon()

    def _prepared(self, ending: Ending, is_leader: Callable[[], bool]) -> "_Prepared | None":
        """What a session needs; None when the end is asked for. Made in a thread: clients that wait must not delay the end."""
        results: queue.SimpleQueue[_Prepared | Exception] = queue.SimpleQueue()
        given_up, lock = False, threading.Lock()

        def prepare() -> None:
            try:
                result: _Prepared | Exception = self._prepare(ending)
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                result = error
            with lock:
                if not given_up:
                    results.put(result)
                    return
            if isinstance(result, _Prepared):
                result.publisher.abandon()

        threading.Thread(target=prepare, name="prepare", daemon=True).start()
        while True:
            try:
                result = results.get(timeout=_STANDBY_SECONDS)
            except queue.Empty:
                if is_leader() and not ending.stop.is_set():
                    continue
                with lock:
                    given_up = results.empty()
                if not given_up:
                    continue
                if ending.stop.is_set():
                    return None
                raise LeadershipLostError from None
            if isinstance(result, Exception):
                raise result
            return result

    def _prepare(self, ending: Ending) -> "_Prepared":
        settings, prefix = self._settings, self._settings.collector.topic_prefix
        cluster = self.cluster()
        ensure_topics(
            self._kafka,
            prefix,
            settings.partitions,
            settings.replication_factor,
            create=settings.create_topics,
            topics=(OBSERVATIONS, CHECKPOINTS),
        )
        publisher = Publisher(
            self._kafka,
            prefix,
            max_unacknowledged=_MAX_UNACKNOWLEDGED,
            timeout_seconds=settings.delivery_timeout_seconds,
            stats=self.stats,
            ending=ending,
        )
        try:
            return _Prepared(cluster, publisher, read_checkpoint(self._kafka, prefix, cluster))
        except BaseException:
            publisher.abandon()
            raise

    def _warn_of_silent(self, others: Mapping[str, str]) -> None:
        now_ms = time.time_ns() // 1_000_000
        silent = {name: since for name, since in others.items() if now_ms - parse_ms(since) > _SILENT_AFTER_MS}
        for name, since in silent.items():
            _log.warning("cluster_silent", cluster=name, since=since)
        self.stats.silent_clusters({name: parse_ms(since) for name, since in silent.items()})


class _Prepared(NamedTuple):
    """What a session begins with."""

    cluster: Cluster
    publisher: Publisher
    found: Checkpoint
