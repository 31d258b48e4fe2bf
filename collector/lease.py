"""Who may lead, decided from what a Lease says and how long ago that was seen. Pure: time is an argument, nothing is requested.

The algorithm of client-go (tools/leaderelection/leaderelection.go): the times written in the Lease are never compared with a clock
here. What counts is for how long, on this process's own monotonic clock, the Lease has not changed; so skew between replicas
does no harm, only clocks that run at different speeds would. A leader counts from the moment at which it *sent* its last
successful renewal, a standby from the moment at which it *received* a change: the first is never later than the second.
"""

import json
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from collector.raw_values import count, mapping, positive, short_text

_LONGEST_IDENTITY: Final = 253


class LeaseError(ValueError):
    """Settings of an election that could leave two leaders, or an answer that is no Lease. A retry does not help."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """The three times of an election, in seconds. Raises LeaseError when two could lead at once.

    A standby takes over at most ``lease_seconds`` and one and a fifth ``retry_seconds`` after the leader's last renewal: with
    the defaults 12.4 s after a ``kill -9``. (client-go's own 15, 10 and 2 s would need up to 17.4 s.)
    """

    lease_seconds: int = 10
    """How long others respect a Lease that they do not see change."""

    renew_deadline_seconds: float = 7.0
    """How long a leader may lead since it sent the last renewal that succeeded. The rest of the lease is for stopping."""

    retry_seconds: float = 2.0
    """How long between two renewals, and between two looks of a standby; the latter up to a fifth longer."""

    def __post_init__(self) -> None:
        """Refuse times that do not leave room for one retry and for stopping."""
        if not 0 < self.retry_seconds * 1.2 < self.renew_deadline_seconds < self.lease_seconds:
            raise LeaseError(
                f"lease {self.lease_seconds} s, renew deadline {self.renew_deadline_seconds:g} s, retry {self.retry_seconds:g} s: "
                "the lease must be longer than the renew deadline, and that longer than 1.2 times the retry"
            )


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A coordination.k8s.io/v1 Lease, as far as an election goes. ``holder`` empty: released."""

    holder: str
    lease_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    transitions: int = 0
    resource_version: str | None = None
    """None in a record that is to be created."""


class Election:
    """One candidate's view. All methods take ``now`` from one monotonic clock, in seconds."""

    __slots__ = ("_lead_until", "_seen", "_seen_at", "_times", "_versions_known", "identity")

    def __init__(self, identity: str, times: LeaseTimes | None = None) -> None:
        if not 0 < len(identity) <= _LONGEST_IDENTITY:
            raise LeaseError(f"an identity has 1 to {_LONGEST_IDENTITY} characters")
        self.identity = identity
        self._times = times or LeaseTimes()
        self._seen: LeaseRecord | None = None
        self._seen_at = 0.0
        self._lead_until: float | None = None
        self._versions_known = False

    @property
    def holder(self) -> str | None:
        """Who held the Lease when it was last seen; None when nobody did, or nothing was seen."""
        return (self._seen.holder or None) if self._seen is not None else None

    def leading(self, now: float) -> bool:
        """Whether this candidate may act as the leader at this moment. Once false, it needs a new successful write."""
        return self._lead_until is not None and now < self._lead_until

    def must_read(self) -> bool:
        """Whether the next attempt begins with reading the Lease: a leader that knows its version writes at once."""
        return not self._versions_known

    def observe(self, record: LeaseRecord | None, now: float) -> None:
        """What a read answered, received at ``now``; None when there is no Lease. Another's hold ends one's own at once."""
        if record is None:
            self._seen = None
        elif self._seen is None or _content(record) != _content(self._seen):
            self._seen, self._seen_at = record, now
        else:
            self._seen = record  # another version of the same content is no renewal
        if record is None or record.holder != self.identity:
            self._lead_until = None
        self._versions_known = True

    def proposal(self, now: float, written_at: str) -> LeaseRecord | None:
        """What to write now, or None while another's hold is to be respected. ``written_at``: RFC 3339, for people only."""
        seen = self._seen
        if seen is None:
            return LeaseRecord(self.identity, self._times.lease_seconds, written_at, written_at)
        if seen.holder == self.identity:
            return replace(seen, lease_seconds=self._times.lease_seconds, renew_time=written_at)
        if seen.holder and now < self._expires_at(seen):
            return None
        return LeaseRecord(
            self.identity,
            self._times.lease_seconds,
            written_at,
            written_at,
            seen.transitions + 1,
            seen.resource_version,
        )

    def release(self, written_at: str) -> LeaseRecord | None:
        """What to write so that another need not wait; None when the Lease is not ours. It ends leading at once, written or not."""
        self._lead_until = None
        if self._seen is None or self._seen.holder != self.identity:
            return None
        return LeaseRecord("", 1, written_at, written_at, self._seen.transitions, self._seen.resource_version)

    def written(self, record: LeaseRecord, sent_at: float, now: float) -> None:
        """The API server took a write of ours; ``sent_at`` is when the request was begun."""
        self._seen, self._seen_at = record, now
        self._versions_known = True
        self._lead_until = sent_at + self._times.renew_deadline_seconds if record.holder == self.identity else None

    def unsettled(self) -> None:
        """A write was refused (409: another was faster), or nobody knows whether it was done: read before the next one."""
        self._versions_known = False

    def next_attempt_seconds(self, now: float, jitter: float) -> float:
        """How long to wait before the next attempt; ``jitter`` from 0 to 1 keeps standbys from asking in step."""
        if self.leading(now):
            return self._times.retry_seconds
        wait = self._times.retry_seconds * (1 + 0.2 * jitter)
        if self._seen is not None and self._seen.holder not in ("", self.identity):
            wait = min(wait, max(self._expires_at(self._seen) - now, 0.05))
        return wait

    def leading_ends_in(self, now: float) -> float | None:
        """Seconds until leading ends unless a renewal succeeds; None when not leading."""
        return self._lead_until - now if self._lead_until is not None and now < self._lead_until else None

    def _expires_at(self, seen: LeaseRecord) -> float:
        return self._seen_at + (seen.lease_seconds or self._times.lease_seconds)


def lease_record(body: bytes) -> LeaseRecord:
    """A Lease from the API server's answer. Raises LeaseError."""
    try:
        raw: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LeaseError(f"not a Lease: {error}") from error
    version = short_text(mapping(mapping(raw).get("metadata")).get("resourceVersion"))
    if version is None:
        raise LeaseError("not a Lease: metadata.resourceVersion is missing")
    spec = mapping(mapping(raw).get("spec"))
    return LeaseRecord(
        holder=short_text(spec.get("holderIdentity")) or "",
        lease_seconds=positive(spec.get("leaseDurationSeconds")),
        acquire_time=short_text(spec.get("acquireTime")),
        renew_time=short_text(spec.get("renewTime")),
        transitions=count(spec.get("leaseTransitions")) or 0,
        resource_version=version,
    )


def lease_body(namespace: str, name: str, record: LeaseRecord) -> bytes:
    """The Lease to POST or PUT. With its resourceVersion the API server refuses (409) what is built on an old one."""
    metadata = {"namespace": namespace, "name": name}
    if record.resource_version is not None:
        metadata["resourceVersion"] = record.resource_version
    spec = {
        "holderIdentity": record.holder,
        "leaseDurationSeconds": record.lease_seconds,
        "acquireTime": record.acquire_time,
        "renewTime": record.renew_time,
        "leaseTransitions": record.transitions,
    }
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    return json.dumps(body).encode()


def _content(record: LeaseRecord) -> LeaseRecord:
    return replace(record, resource_version=None)
