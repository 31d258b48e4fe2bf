"""The shape of raw Pods and Events as far as translation reads them: fields may be absent or null, but of no other type.

Data only, for msgspec to check with; nothing is built from these. Numbers of the API are integers (api/core/v1/types.go);
quantities and ports may be text.
"""

from typing import Any

import msgspec

_Text = str | None
_Integer = int | None
_Quantity = str | int | float | None


class _Shape(msgspec.Struct, rename="camel", kw_only=True):
    """Common settings; unknown fields are passed over."""


class OwnerShape(_Shape):
    """An owner reference."""

    api_version: _Text = None
    kind: _Text = None
    name: _Text = None
    uid: _Text = None
    controller: bool | None = None


class MetadataShape(_Shape):
    """ObjectMeta."""

    name: _Text = None
    namespace: _Text = None
    uid: _Text = None
    resource_version: _Text = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerShape] | None = None
    deletion_grace_period_seconds: _Integer = None


class ReferenceShape(_Shape):
    """ObjectReference."""

    kind: _Text = None
    namespace: _Text = None
    name: _Text = None
    uid: _Text = None
    field_path: _Text = None
    resource_version: _Text = None


class SeriesShape(_Shape):
    """EventSeries."""

    count: _Integer = None


class SourceShape(_Shape):
    """EventSource."""

    component: _Text = None
    host: _Text = None


class EventShape(_Shape):
    """An Event, core/v1 or events.k8s.io/v1."""

    metadata: MetadataShape | None = None
    involved_object: ReferenceShape | None = None
    regarding: ReferenceShape | None = None
    reason: _Text = None
    type: _Text = None
    message: _Text = None
    note: _Text = None
    count: _Integer = None
    deprecated_count: _Integer = None
    series: SeriesShape | None = None
    source: SourceShape | None = None
    deprecated_source: SourceShape | None = None
    reporting_component: _Text = None
    reporting_controller: _Text = None
    reporting_instance: _Text = None


class HttpShape(_Shape):
    """HTTPGetAction."""

    path: _Text = None
    port: int | str | None = None
    host: _Text = None
    scheme: _Text = None


class ExecShape(_Shape):
    """ExecAction."""

    command: list[str] | None = None


class GrpcShape(_Shape):
    """GRPCAction."""

    port: int | str | None = None
    service: _Text = None


class ProbeShape(_Shape):
    """Probe."""

    http_get: HttpShape | None = None
    tcp_socket: HttpShape | None = None
    grpc: GrpcShape | None = None
    exec: ExecShape | None = None
    initial_delay_seconds: _Integer = None
    period_seconds: _Integer = None
    timeout_seconds: _Integer = None
    failure_threshold: _Integer = None
    success_threshold: _Integer = None
    termination_grace_period_seconds: _Integer = None


class PortShape(_Shape):
    """ContainerPort."""

    container_port: _Integer = None
    name: _Text = None
    protocol: _Text = None


class ResourcesShape(_Shape):
    """ResourceRequirements."""

    limits: dict[str, _Quantity] | None = None
    requests: dict[str, _Quantity] | None = None


class LifecycleShape(_Shape):
    """Lifecycle."""

    post_start: dict[str, Any] | None = None
    pre_stop: dict[str, Any] | None = None


class ContainerShape(_Shape):
    """A container of any kind: its name is certain."""

    name: str
    image: _Text = None
    command: list[str] | None = None
    args: list[str] | None = None
    ports: list[PortShape] | None = None
    liveness_probe: ProbeShape | None = None
    readiness_probe: ProbeShape | None = None
    startup_probe: ProbeShape | None = None
    resources: ResourcesShape | None = None
    lifecycle: LifecycleShape | None = None
    restart_policy: _Text = None


class SpecShape(_Shape):
    """PodSpec."""

    node_name: _Text = None
    restart_policy: _Text = None
    termination_grace_period_seconds: _Integer = None
    active_deadline_seconds: _Integer = None
    containers: list[ContainerShape] | None = None
    init_containers: list[ContainerShape] | None = None
    ephemeral_containers: list[ContainerShape] | None = None


class WaitingShape(_Shape):
    """ContainerStateWaiting."""

    reason: _Text = None
    message: _Text = None


class TerminatedShape(_Shape):
    """ContainerStateTerminated."""

    exit_code: _Integer = None
    signal: _Integer = None
    reason: _Text = None
    message: _Text = None
    container_id: str | None = msgspec.field(default=None, name="containerID")


class StateShape(_Shape):
    """ContainerState."""

    waiting: WaitingShape | None = None
    running: dict[str, Any] | None = None
    terminated: TerminatedShape | None = None


class ContainerStatusShape(_Shape):
    """ContainerStatus: its name is certain."""

    name: str
    image: _Text = None
    image_id: str | None = msgspec.field(default=None, name="imageID")
    container_id: str | None = msgspec.field(default=None, name="containerID")
    state: StateShape | None = None
    last_state: StateShape | None = None
    restart_count: _Integer = None
    ready: bool | None = None
    started: bool | None = None


class ConditionShape(_Shape):
    """PodCondition."""

    type: _Text = None
    status: _Text = None
    reason: _Text = None
    message: _Text = None


class StatusShape(_Shape):
    """PodStatus."""

    phase: _Text = None
    reason: _Text = None
    message: _Text = None
    conditions: list[ConditionShape] | None = None
    container_statuses: list[ContainerStatusShape] | None = None
    init_container_statuses: list[ContainerStatusShape] | None = None
    ephemeral_container_statuses: list[ContainerStatusShape] | None = None


class PodShape(_Shape):
    """A Pod."""

    metadata: MetadataShape | None = None
    spec: SpecShape | None = None
    status: StatusShape | None = None
