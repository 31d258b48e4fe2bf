"""Observations: what a collector saw of one cluster, as published on ``<prefix>.observations.v1``.

Frozen structs that mirror the JSON exactly (contract section 2). A reader picks the kind by its tag; absent keys are absent, never
null. Translation from Kubernetes objects is the collector's, meaning is the processor's; here is only the shape.
"""

from typing import Annotated, Final, Literal

import msgspec

SCHEMA_VERSION: Final = "1.0.0"

#: Integers stay below 2^53 (contract section 1): JavaScript and many JSON parsers hold no larger ones exactly.
Integer = Annotated[int, msgspec.Meta(ge=-(2**53) + 1, le=2**53 - 1)]

ContainerType = Literal["app", "init", "sidecar", "ephemeral"]
ProbeHandler = Literal["http", "tcp", "grpc", "exec"]


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Common settings of every part of an observation."""


class Cluster(_Record, frozen=True, kw_only=True):
    """The cluster: the operator's name for it, and the UID of its ``kube-system`` namespace."""

    name: str
    uid: str


class Redaction(_Record, frozen=True, kw_only=True):
    """How many secrets the collector replaced in this record."""

    count: Integer


class ObjectReference(_Record, frozen=True, kw_only=True):
    """``involvedObject`` of a core/v1 Event (api/core/v1/types.go, ObjectReference). Only Pods are published."""

    kind: str = "Pod"
    namespace: str = ""
    name: str = ""
    uid: str | None = None
    field_path: str | None = None
    resource_version: str | None = None


class EventSeries(_Record, frozen=True, kw_only=True):
    """``series`` of an Event recorded through events.k8s.io."""

    count: Integer
    last_observed_at: str | None = None


class Event(_Record, frozen=True, kw_only=True):
    """One core/v1 Event as it stood: times are the emitter's clock except ``created_at``, which is the API server's."""

    reason: str = ""
    type: str = ""
    message: str = ""
    involved_object: ObjectReference
    uid: str | None = None
    resource_version: str | None = None
    count: Integer | None = None
    series: EventSeries | None = None
    first_at: str | None = None
    last_at: str | None = None
    event_at: str | None = None
    created_at: str | None = None
    source_component: str | None = None
    source_host: str | None = None


class Workload(_Record, frozen=True, kw_only=True):
    """An owner: the controller that runs the pod."""

    kind: str
    name: str
    uid: str | None = None
    api_version: str | None = None


class Condition(_Record, frozen=True, kw_only=True):
    """A pod condition (api/core/v1/types.go, PodCondition)."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_at: str | None = None


class Port(_Record, frozen=True, kw_only=True):
    """A declared container port."""

    port: Integer
    name: str | None = None
    protocol: str = "TCP"


class Probe(_Record, frozen=True, kw_only=True):
    """A probe with Kubernetes' defaults filled in (pkg/apis/core/v1/defaults.go: delay 0 s, time-out 1 s, period 10 s, 3 failures)."""

    handler: ProbeHandler
    port: Integer | str | None = None
    path: str | None = None
    scheme: str | None = None
    host: str | None = None
    grpc_service: str | None = None
    command: tuple[str, ...] = ()
    initial_delay_seconds: Integer = 0
    period_seconds: Integer = 10
    timeout_seconds: Integer = 1
    failure_threshold: Integer = 3
    success_threshold: Integer = 1
    termination_grace_period_seconds: Integer | None = None


class Waiting(_Record, frozen=True, kw_only=True):
    """ContainerStateWaiting."""

    reason: str | None = None
    message: str | None = None


class Running(_Record, frozen=True, kw_only=True):
    """ContainerStateRunning; the node's clock."""

    started_at: str | None = None


class Terminated(_Record, frozen=True, kw_only=True):
    """ContainerStateTerminated; the node's clock. ``message`` is redacted."""

    exit_code: Integer | None = None
    signal: Integer | None = None
    reason: str | None = None
    message: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    container_id: str | None = None


class ContainerState(_Record, frozen=True, kw_only=True):
    """ContainerState: at most one of the three; none at all in partial data."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class Container(_Record, frozen=True, kw_only=True):
    """One container of a pod: the part of its spec that explains failures, joined with its status.

    ``restart_count`` is None when no status was there at all (partial input), which differs from 0.
    """

    name: str
    type: ContainerType = "app"
    image: str | None = None
    image_id: str | None = None
    container_id: str | None = None
    command: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    liveness: Probe | None = None
    readiness: Probe | None = None
    startup: Probe | None = None
    memory_limit_bytes: Integer | None = None
    memory_request_bytes: Integer | None = None
    cpu_limit_millicores: Integer | None = None
    ephemeral_storage_limit_bytes: Integer | None = None
    has_post_start_hook: bool = False
    restart_policy: str | None = None
    state: ContainerState | None = None
    last_state: ContainerState | None = None
    restart_count: Integer | None = None
    ready: bool | None = None
    started: bool | None = None


class Pod(_Record, frozen=True, kw_only=True):
    """A pod's projection: published when it changes.

    ``owner`` is the top workload (a Deployment rather than its ReplicaSet), ``controller`` the direct owner. ``static_uid`` is the
    annotation ``kubernetes.io/config.hash`` of a mirror pod: kubelet events of static pods carry it instead of ``uid``
    (pkg/kubelet/config/common.go). ``labels`` holds only those that the setting names.
    """

    namespace: str
    name: str
    uid: str | None = None
    resource_version: str | None = None
    created_at: str | None = None
    deletion_at: str | None = None
    deletion_grace_period_seconds: Integer | None = None
    node: str | None = None
    owner: Workload | None = None
    controller: Workload | None = None
    static_uid: str | None = None
    labels: dict[str, str] = {}
    restart_policy: str | None = None
    termination_grace_period_seconds: Integer | None = None
    active_deadline_seconds: Integer | None = None
    started_at: str | None = None
    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    conditions: tuple[Condition, ...] = ()
    containers: tuple[Container, ...] = ()


class Log(_Record, frozen=True, kw_only=True):
    """The last lines of a terminated container, redacted. ``container_id`` is the instance that wrote them."""

    namespace: str
    pod_name: str
    container: str
    text: str
    pod_uid: str | None = None
    container_id: str | None = None
    restart_count: Integer | None = None


class Clock(_Record, frozen=True, kw_only=True):
    """The time up to which this collector's watches are complete."""

    resource: str
    time: str


class Gap(_Record, rename={"from_": "from"}, frozen=True, kw_only=True):
    """What could not be seen: one resource, from a time to a time."""

    resource: str
    from_: str
    to: str
    reason: str | None = None


class _Observation(_Record, tag_field="kind", frozen=True, kw_only=True):
    """What every observation carries. ``observed_at`` is the collector's receipt."""

    schema_version: str
    id: str
    cluster: Cluster
    observed_at: str
    redaction: Redaction | None = None
    truncated: bool = False


class EventObservation(_Observation, tag="event", frozen=True, kw_only=True):
    """An Event on a Pod was added, or its count or series rose."""

    event: Event


class PodObservation(_Observation, tag="pod", frozen=True, kw_only=True):
    """A pod's projection changed."""

    pod: Pod


class PodDeletedObservation(_Observation, tag="pod_deleted", frozen=True, kw_only=True):
    """A pod is gone; ``inferred`` when a relist no longer held it, so its last state may be old."""

    pod: Pod
    inferred: bool = False


class LogObservation(_Observation, tag="log", frozen=True, kw_only=True):
    """A terminated container's last lines."""

    log: Log


class ClockObservation(_Observation, tag="clock", frozen=True, kw_only=True):
    """Event time of this cluster advances."""

    clock: Clock


class GapObservation(_Observation, tag="gap", frozen=True, kw_only=True):
    """The collector's watches missed something."""

    gap: Gap


Observation = EventObservation | PodObservation | PodDeletedObservation | LogObservation | ClockObservation | GapObservation
