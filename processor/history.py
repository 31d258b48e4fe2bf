"""What is remembered of a pod: bounded facts in event time, as `merging` leaves them.

Facts only: no cause is decided and no episode opened here. All times are integer milliseconds since the Unix epoch. The structs are
state: they are encoded with msgpack as arrays, so fields may only be appended, each with a default.
"""

from typing import Final

import msgspec

from processor.messages import Form
from schemas.observation import Pod
from schemas.timestamps import InvalidTimestampError, parse_ms

MAX_SIGNALS: Final = 40
MAX_ENDS: Final = 6
MAX_RESTARTS: Final = 24
MAX_LOGS: Final = 2
MAX_CONTAINERS: Final = 64
#: Open at once in one pod; a further one opens when another ends. Keeps a pod's state below Kafka's record limit of 1 MiB.
MAX_EPISODES: Final = 32
SIGNAL_TEXT_MAX: Final = 1024
LOG_TEXT_MAX: Final = 1024

#: Forms of events that every healthy pod has.
ROUTINE: Final = frozenset(
    {Form.PULLING.value, Form.PULLED.value, Form.CREATED.value, Form.STARTED.value, Form.SCHEDULED.value}
)


class _State(msgspec.Struct, array_like=True, kw_only=True):
    """Common settings of what is kept."""


class Signal(_State):
    """One Event object, merged over its repeats. ``at_ms`` is when it last happened, corrected for a skewed node clock."""

    key: str
    form: str
    container: str | None
    probe: str | None
    reason: str
    text: str
    count: int
    first_ms: int
    at_ms: int
    seen_ms: int
    source_id: str
    skew_ms: int = 0
    is_init: bool = False


class End(_State):
    """One termination of one instance of a container. ``at_ms`` is event time: the node's word, or the receipt if watched live."""

    key: str
    exit_code: int | None
    signal: int | None
    reason: str | None
    message: str | None
    started_ms: int | None
    finished_ms: int | None
    at_ms: int
    seen_ms: int
    source_id: str
    terminating: bool = False
    image: str | None = None
    restart_count: int | None = None
    killed_by: str | None = None
    """The probe that is known to have killed the instance: kept, since the event that said so will not be."""


class LogTail(_State):
    """A log's last lines and what they point to."""

    container_id: str | None
    text: str
    hint: str | None
    line: str | None
    port: int | None
    seen_ms: int
    source_id: str


class ContainerFacts(_State):
    """What is known of one container besides the pod's last state."""

    name: str
    ends: list[End] = []
    restarts: list[tuple[int, int]] = []
    logs: list[LogTail] = []
    instance: str | None = None
    running_since_ms: int | None = None
    unready_since_ms: int | None = None
    ready_since_ms: int | None = None
    ever_ready: bool = False
    ever_started: bool = False
    waiting_reason: str | None = None
    waiting_since_ms: int | None = None
    waiting_text: str | None = None
    pull_error: str | None = None
    pull_failures: int = 0
    start_error: str | None = None
    create_error: str | None = None
    create_failures: int = 0
    definition_changed_ms: int | None = None
    hook_error: str | None = None
    hook_failed_ms: int | None = None


class Episode(_State):
    """An open or past episode's bookkeeping: what was last said of it."""

    container: str | None
    problem: str
    ordinal: int
    revision: int
    opened_ms: int
    first_ms: int
    last_ms: int
    fingerprint: str
    workload_kind: str
    workload_name: str
    workload_uid: str | None
    cause: str
    confidence: float
    severity: str
    condition: str
    occurrences: int
    exit_codes: list[int] = []
    body: bytes = b""
    end: End | None = None
    restart_count: int | None = None
    latest_occurrences: int = 0


class Track(_State):
    """One pod UID."""

    uid: str | None
    namespace: str
    name: str
    pod: Pod | None = None
    pod_seen_ms: int = 0
    first_seen_ms: int = 0
    heard_ms: int = 0
    source_id: str = ""
    signals: list[Signal] = []
    containers: dict[str, ContainerFacts] = {}
    episodes: list[Episode] = []
    ordinals: dict[str, int] = {}
    settled_ms: dict[str, int] = {}
    deleted_ms: int | None = None
    replaced_ms: int | None = None
    pod_failed_ms: int | None = None
    redactions: int = 0
    skew_ms: int = 0
    known: bool = False


class PodHistory(_State):
    """Everything kept under one pod key: a few UIDs, the newest last."""

    cluster_name: str
    cluster_uid: str
    tracks: list[Track] = []
    wake_ms: int | None = None


def time_ms(text: str | None) -> int | None:
    """Milliseconds of a record's timestamp; None when it is absent or unreadable (old or hostile data)."""
    if text is None:
        return None
    try:
        return parse_ms(text)
    except InvalidTimestampError:
        return None


def facts_of(track: Track, name: str) -> ContainerFacts:
    """The facts of a container, made when they are missing."""
    facts = track.containers.get(name)
    if facts is None:
        facts = ContainerFacts(name=name)
        if len(track.containers) < MAX_CONTAINERS:
            track.containers[name] = facts
    return facts
