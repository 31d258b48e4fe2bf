"""Leading through a coordination.k8s.io/v1 Lease: the threads that act on what `lease` decides.

One thread reads and writes the Lease, another ends leading when its time is over, even while the first waits for an API server that
does not answer. It must not publish or watch anything, and never decides by itself who leads. Kubernetes' own description:
KEP-589, client-go tools/leaderelection.
"""

import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol, Self

import structlog

from collector.api_errors import ApiError
from collector.lease import Election, LeaseError, LeaseRecord, LeaseTimes, lease_body, lease_record

_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_log: Final = structlog.get_logger(__name__)


class LeaseRequests(Protocol):
    """What an election asks of `collector.api.Api`."""

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        read_timeout_seconds: float = ...,
    ) -> bytes:
        """The body of the answer. Raises ApiError."""
        ...


def own_identity() -> str:
    """This process in a Lease: its pod's (else its host's) name, and a UUID, since a pod's container may start again."""
    return f"{(os.environ.get('POD_NAME') or socket.gethostname())[:200]}_{uuid.uuid4()}"


def running_time() -> float:
    """Seconds on a clock that never goes back and, where the system has one, goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class LeaseElector:
    """Competes for one Lease until ``stop``. A context manager: leaving it releases the Lease.

    ``on_change`` is called with True when this process begins to lead and with False when it no longer does, alternately, from
    threads of this object: it must return at once. What must not happen twice asks ``leading`` right before it is done.
    """

    def __init__(
        self,
        api: LeaseRequests,
        namespace: str,
        name: str,
        *,
        identity: str | None = None,
        times: LeaseTimes | None = None,
        on_change: Callable[[bool], None] | None = None,
        now: Callable[[], float] = running_time,
    ) -> None:
        self._api = api
        self._namespace, self._name = namespace, name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._times = times or LeaseTimes()
        self._election = Election(identity or own_identity(), self._times)
        self._on_change = on_change
        self._now = now
        self._changed = threading.Condition()
        self._told = False
        self._terms = 0
        self._refusal: str | None = None
        self._stopping = threading.Event()
        self._threads = (
            threading.Thread(target=self._compete, name="lease", daemon=True),
            threading.Thread(target=self._end_in_time, name="lease-deadline", daemon=True),
        )
        self._log = _log.bind(lease=f"{namespace}/{name}", identity=self._election.identity)

    def __enter__(self) -> Self:
        """Begin."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and release."""
        self.stop()

    @property
    def identity(self) -> str:
        """What stands in the Lease while this process holds it."""
        return self._election.identity

    @property
    def holder(self) -> str | None:
        """Who held the Lease when it was last seen; None when nobody did."""
        with self._changed:
            return self._election.holder

    @property
    def refusal(self) -> str | None:
        """Why the API server does not let this process use the Lease (a missing right, for example); None when it does."""
        with self._changed:
            return self._refusal

    @property
    def terms(self) -> int:
        """How often this process began to lead."""
        with self._changed:
            return self._terms

    def start(self) -> None:
        """Begin to compete."""
        for thread in self._threads:
            thread.start()

    def leading(self) -> bool:
        """Whether this process may act as the leader at this moment; by the clock, whatever the threads do."""
        with self._changed:
            return not self._stopping.is_set() and self._election.leading(self._now())

    def wait_until_leading(self, timeout_seconds: float | None = None) -> bool:
        """Wait until this process leads, ``stop`` was called or the time is over; whether it leads."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or self._told, timeout_seconds)
        return self.leading()

    def wait_while_leading(self, timeout_seconds: float | None = None) -> bool:
        """Wait until this process no longer leads, or the time is over; whether it still leads."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or not self._told, timeout_seconds)
        return self.leading()

    def stop(self) -> None:
        """Stop leading, then release the Lease so that another takes over at once. To be called when all is published."""
        if self._stopping.is_set():
            return
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(self._times.renew_deadline_seconds)
        with self._changed:
            record = self._election.release(_written_at())
        self._tell()
        if record is None:
            return
        try:
            self._write(record)
        except (ApiError, LeaseError) as error:
            self._log.warning("lease_not_released", reason=str(error))
        else:
            self._log.info("lease_released")

    def _compete(self) -> None:
        while not self._stopping.is_set():
            try:
                self._attempt()
            except ApiError as error:
                self._failed(error)
            except LeaseError as error:
                self._log.warning("lease_unreadable", reason=str(error))
            self._tell()
            with self._changed:
                pause = self._election.next_attempt_seconds(self._now(), random.random())  # noqa: S311 - spreads requests, guards nothing
            self._stopping.wait(pause)

    def _attempt(self) -> None:
        """One look at the Lease when its version is not known, and one write when it is ours to write."""
        if self._election.must_read():
            record = self._read()
            with self._changed:
                self._election.observe(record, self._now())
            self._tell()  # the end of one term, before the next one begins
        with self._changed:
            proposal = self._election.proposal(self._now(), _written_at())
            if proposal is None:
                self._election.unsettled()  # another's: look again next time
                return
            was_leading = self._election.leading(self._now())
        sent_at = self._now()
        try:
            written = self._write(proposal)
        except (ApiError, LeaseError):
            with self._changed:
                self._election.unsettled()
            raise
        with self._changed:
            self._refusal = None
            if not self._stopping.is_set():
                self._election.written(written, sent_at, self._now())
        if not was_leading:
            self._log.info("lease_acquired", transitions=written.transitions)

    def _read(self) -> LeaseRecord | None:
        try:
            return lease_record(
                self._api.request("GET", f"{self._path}/{self._name}", read_timeout_seconds=self._request_seconds())
            )
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def _write(self, record: LeaseRecord) -> LeaseRecord:
        body = lease_body(self._namespace, self._name, record)
        method, path = ("POST", self._path) if record.resource_version is None else ("PUT", f"{self._path}/{self._name}")
        return lease_record(self._api.request(method, path, body=body, read_timeout_seconds=self._request_seconds()))

    def _request_seconds(self) -> float:
        """Half the deadline, as client-go does: a request that hangs leaves time for another."""
        return self._times.renew_deadline_seconds / 2

    def _failed(self, error: ApiError) -> None:
        if error.status == _CONFLICT:
            self._log.debug("lease_taken_by_another")
            return
        with self._changed:
            self._refusal = None if error.retryable else str(error)
            left = self._election.leading_ends_in(self._now())
        self._log.warning(
            "lease_request_failed", reason=str(error), leading_ends_in_seconds=None if left is None else round(left, 1)
        )

    def _end_in_time(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                left = self._election.leading_ends_in(self._now())
                self._changed.wait(left)
            self._tell()

    def _tell(self) -> None:
        """Say it when leading began or ended since the last time."""
        with self._changed:
            leading = not self._stopping.is_set() and self._election.leading(self._now())
            if leading == self._told:
                self._changed.notify_all()  # a renewal: the deadline is another one
                return
            self._told = leading
            self._terms += leading
            self._changed.notify_all()
            self._log.info("leading_began" if leading else "leading_ended")
            if self._on_change is not None:
                self._on_change(leading)


def _written_at() -> str:
    """Now, as metav1.MicroTime: for people who read the Lease, never compared."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
