"""A raw core/v1 Pod to the projection that explains failures: no environment, no managed fields, no full spec. Pure.

Field names: api/core/v1/types.go. It must not raise on the content of optional fields; defaults are Kubernetes' own
(pkg/apis/core/v1/defaults.go) where a probe leaves them out.
"""

from collections.abc import Sequence
from typing import Final

from collector.owners import owners
from collector.quantities import thousandths, whole_units
from collector.raw_values import Raw, boolean, count, integer, mapping, mappings, positive, short_text, timestamp
from collector.texts import Texts
from schemas.observation import (
    Condition,
    Container,
    ContainerState,
    ContainerType,
    Pod,
    Port,
    Probe,
    Running,
    Terminated,
    Waiting,
)

#: Pairs of lists that are joined by the container's name: where it is defined, where its status is, what it is.
_SECTIONS: Final[tuple[tuple[str, str, ContainerType], ...]] = (
    ("initContainers", "initContainerStatuses", "init"),
    ("containers", "containerStatuses", "app"),
    ("ephemeralContainers", "ephemeralContainerStatuses", "ephemeral"),
)
_STATIC_POD_ANNOTATION: Final = "kubernetes.io/config.hash"
_NO_RAW: Final[Raw] = {}
_PORT_MAX: Final = 65_535


def project(raw: Raw, namespace: str, name: str, texts: Texts, labels: Sequence[str]) -> Pod:
    """The projection; ``labels`` names the labels that are carried."""
    metadata, spec, status = mapping(raw.get("metadata")), mapping(raw.get("spec")), mapping(raw.get("status"))
    owner, controller = owners(metadata)
    return Pod(
        namespace=namespace,
        name=name,
        uid=short_text(metadata.get("uid")),
        resource_version=short_text(metadata.get("resourceVersion")),
        created_at=timestamp(metadata.get("creationTimestamp")),
        deletion_at=timestamp(metadata.get("deletionTimestamp")),
        deletion_grace_period_seconds=count(metadata.get("deletionGracePeriodSeconds")),
        node=short_text(spec.get("nodeName")),
        owner=owner,
        controller=controller,
        static_uid=short_text(mapping(metadata.get("annotations")).get(_STATIC_POD_ANNOTATION)),
        labels=_labels(mapping(metadata.get("labels")), labels),
        restart_policy=short_text(spec.get("restartPolicy")),
        termination_grace_period_seconds=count(spec.get("terminationGracePeriodSeconds")),
        active_deadline_seconds=count(spec.get("activeDeadlineSeconds")),
        started_at=timestamp(status.get("startTime")),
        phase=short_text(status.get("phase")),
        reason=short_text(status.get("reason")),
        message=texts.message(status.get("message")),
        conditions=tuple(
            Condition(
                type=kind,
                status=short_text(condition.get("status")) or "Unknown",
                reason=short_text(condition.get("reason")),
                message=texts.message(condition.get("message")),
                last_transition_at=timestamp(condition.get("lastTransitionTime")),
            )
            for condition in mappings(status.get("conditions"))
            if (kind := short_text(condition.get("type"))) is not None
        ),
        containers=tuple(_containers(spec, status, texts)),
    )


def _labels(found: Raw, wanted: Sequence[str]) -> dict[str, str]:
    if not wanted:
        return {}
    return {name: text for name in wanted if (text := short_text(found.get(name))) is not None}


def _containers(spec: Raw, status: Raw, texts: Texts) -> list[Container]:
    containers: list[Container] = []
    for spec_key, status_key, kind in _SECTIONS:
        definitions = _by_name(spec.get(spec_key))
        statuses = _by_name(status.get(status_key))
        for name, definition in definitions.items():
            containers.append(_container(name, kind, definition, statuses.pop(name, None), texts))
        containers.extend(_container(name, kind, _NO_RAW, left, texts) for name, left in statuses.items())
    return containers


def _by_name(value: object) -> dict[str, Raw]:
    return {name: item for item in mappings(value) if (name := short_text(item.get("name"))) is not None}


def _container(name: str, kind: ContainerType, definition: Raw, status: Raw | None, texts: Texts) -> Container:
    restart_policy = short_text(definition.get("restartPolicy"))
    if kind == "init" and restart_policy == "Always":
        kind = "sidecar"
    seen = _NO_RAW if status is None else status
    ports = _ports(definition.get("ports"))
    resources = mapping(definition.get("resources"))
    limits = mapping(resources.get("limits"))
    return Container(
        name=name,
        type=kind,
        image=short_text(definition.get("image")) or short_text(seen.get("image")),
        image_id=short_text(seen.get("imageID")),
        container_id=short_text(seen.get("containerID")),
        command=texts.command(definition.get("command"), definition.get("args")),
        ports=ports,
        liveness=_probe(definition.get("livenessProbe"), ports, texts),
        readiness=_probe(definition.get("readinessProbe"), ports, texts),
        startup=_probe(definition.get("startupProbe"), ports, texts),
        memory_limit_bytes=whole_units(limits.get("memory")),
        memory_request_bytes=whole_units(mapping(resources.get("requests")).get("memory")),
        cpu_limit_millicores=thousandths(limits.get("cpu")),
        ephemeral_storage_limit_bytes=whole_units(limits.get("ephemeral-storage")),
        has_post_start_hook=bool(mapping(mapping(definition.get("lifecycle")).get("postStart"))),
        restart_policy=restart_policy,
        state=_state(seen.get("state"), texts),
        last_state=_state(seen.get("lastState"), texts),
        restart_count=count(seen.get("restartCount")),
        ready=boolean(seen.get("ready")),
        started=boolean(seen.get("started")),
    )


def _ports(value: object) -> tuple[Port, ...]:
    return tuple(
        Port(port=number, name=short_text(port.get("name")), protocol=short_text(port.get("protocol")) or "TCP")
        for port in mappings(value)
        if (number := _port_number(port.get("containerPort"))) is not None
    )


def _port_number(value: object) -> int | None:
    number = integer(value)
    return number if number is not None and 0 < number <= _PORT_MAX else None


def _probe(value: object, ports: tuple[Port, ...], texts: Texts) -> Probe | None:
    raw = mapping(value)
    handler = _probe_handler(raw, ports, texts)
    if handler is None:
        return None
    return Probe(
        handler=handler.handler,
        port=handler.port,
        path=handler.path,
        scheme=handler.scheme,
        host=handler.host,
        grpc_service=handler.grpc_service,
        command=handler.command,
        initial_delay_seconds=count(raw.get("initialDelaySeconds")) or 0,
        period_seconds=positive(raw.get("periodSeconds")) or 10,
        timeout_seconds=positive(raw.get("timeoutSeconds")) or 1,
        failure_threshold=positive(raw.get("failureThreshold")) or 3,
        success_threshold=positive(raw.get("successThreshold")) or 1,
        termination_grace_period_seconds=count(raw.get("terminationGracePeriodSeconds")),
    )


def _probe_handler(raw: Raw, ports: tuple[Port, ...], texts: Texts) -> Probe | None:
    """A probe that has its handler's fields only."""
    if isinstance(http := raw.get("httpGet"), dict):
        return Probe(
            handler="http",
            port=_target_port(http.get("port"), ports),
            path=texts.argument(http.get("path")) or "/",
            scheme=short_text(http.get("scheme")) or "HTTP",
            host=texts.argument(http.get("host")),
        )
    if isinstance(tcp := raw.get("tcpSocket"), dict):
        return Probe(handler="tcp", port=_target_port(tcp.get("port"), ports), host=texts.argument(tcp.get("host")))
    if isinstance(grpc := raw.get("grpc"), dict):
        return Probe(handler="grpc", port=_target_port(grpc.get("port"), ports), grpc_service=short_text(grpc.get("service")))
    if isinstance(command := raw.get("exec"), dict):
        return Probe(handler="exec", command=texts.command(command.get("command")))
    return None


def _target_port(value: object, ports: tuple[Port, ...]) -> int | str | None:
    """The number; a name is looked up among the container's own ports, as the kubelet does (pkg/probe/util.go), else kept."""
    number = _port_number(value)
    if number is not None:
        return number
    name = short_text(value)
    return next((port.port for port in ports if port.name == name), name) if name is not None else None


def _state(value: object, texts: Texts) -> ContainerState | None:
    raw = mapping(value)
    if isinstance(terminated := raw.get("terminated"), dict):
        return ContainerState(terminated=_terminated(terminated, texts))
    if isinstance(running := raw.get("running"), dict):
        return ContainerState(running=Running(started_at=timestamp(running.get("startedAt"))))
    if isinstance(waiting := raw.get("waiting"), dict):
        return ContainerState(
            waiting=Waiting(reason=short_text(waiting.get("reason")), message=texts.message(waiting.get("message")))
        )
    return None


def _terminated(raw: Raw, texts: Texts) -> Terminated:
    return Terminated(
        exit_code=integer(raw.get("exitCode")),
        signal=positive(raw.get("signal")),
        reason=short_text(raw.get("reason")),
        message=texts.message(raw.get("message")),
        started_at=timestamp(raw.get("startedAt")),
        finished_at=timestamp(raw.get("finishedAt")),
        container_id=short_text(raw.get("containerID")),
    )
