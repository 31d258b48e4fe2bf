"""What a case is, and the few words that cases are written in: facts of one pod, and what must be said of them.

The facts are observations; time is seconds after ten o'clock. Nothing is judged here, and no engine runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from msgspec.structs import replace

from schemas.diagnosis import CauseId, Problem, State
from schemas.observation import (
    SCHEMA_VERSION,
    Clock,
    ClockObservation,
    Cluster,
    Container,
    ContainerState,
    Event,
    EventObservation,
    Log,
    LogObservation,
    ObjectReference,
    Observation,
    Pod,
    PodDeletedObservation,
    PodObservation,
    Running,
    Terminated,
    Waiting,
    Workload,
)
from schemas.timestamps import format_ms, parse_ms

#: Container, problem, cause, and the state of the last revision: all that a case compares.
Said = tuple[str | None, Problem, CauseId, State]

CLUSTER: Final = Cluster(name="case", uid="case-uid")
_BEGIN_MS: Final = parse_ms("2026-03-02T10:00:00Z")
_CLOCK_SECONDS: Final = 15

#: A container that declares port 8080, and a pod of a Deployment that is assigned to a node.
APP: Final = Container(name="app", image="shop/web:1", restart_count=0)
POD: Final = Pod(
    namespace="shop",
    name="web-1",
    uid="pod-uid",
    node="node-1",
    owner=Workload(kind="Deployment", name="web"),
    restart_policy="Always",
    termination_grace_period_seconds=30,
    phase="Running",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One situation, and everything that must be said of it: the last revision of each episode, in order of opening."""

    kind: Literal["fires", "near_miss", "edge"]
    cause: CauseId
    name: str
    given: tuple[Observation, ...]
    until: float
    said: tuple[Said, ...]

    def stream(self) -> Iterator[Observation]:
        """The observations in order of receipt, with a clock every 15 s up to ``until``."""
        return with_clocks(self.given, self.until)


def fires(cause: CauseId, name: str, given: Sequence[Observation], until: float, *said: Said) -> Case:
    """A case in which the cause is said."""
    return Case("fires", cause, name, tuple(given), until, said)


def near_miss(cause: CauseId, name: str, given: Sequence[Observation], until: float, *said: Said) -> Case:
    """A case that looks like the cause and is another, or nothing."""
    return Case("near_miss", cause, name, tuple(given), until, said)


def edge(cause: CauseId, name: str, given: Sequence[Observation], until: float, *said: Said) -> Case:
    """A case that lies exactly on a threshold of the cause."""
    return Case("edge", cause, name, tuple(given), until, said)


def at(seconds: float) -> str:
    """A moment, as records write it."""
    return format_ms(_BEGIN_MS + round(seconds * 1000))


def with_clocks(given: Sequence[Observation], until: float) -> Iterator[Observation]:
    """Observations by time of receipt, with this cluster's clock between them."""
    passed = 0
    for observation in sorted(given, key=lambda item: parse_ms(item.observed_at)):
        while _BEGIN_MS + passed * 1000 <= min(parse_ms(observation.observed_at), parse_ms(at(until))):
            yield clock(passed)
            passed += _CLOCK_SECONDS
        yield observation
    while passed < until:
        yield clock(passed)
        passed += _CLOCK_SECONDS
    yield clock(until)


def clock(seconds: float, cluster: Cluster = CLUSTER) -> ClockObservation:
    """The cluster's clock."""
    return ClockObservation(
        schema_version=SCHEMA_VERSION,
        id=f"{cluster.uid}/pods/{at(seconds)}",
        cluster=cluster,
        observed_at=at(seconds),
        clock=Clock(resource="pods", time=at(seconds)),
    )


def running(container: Container, since: float, *, ready: bool | None = None, restarts: int | None = None) -> Container:
    """The container as it runs since a moment; an earlier end stays."""
    count = restarts if restarts is not None else container.restart_count
    return replace(
        container,
        state=ContainerState(running=Running(started_at=at(since))),
        container_id=f"containerd://{container.name}-{count}",
        restart_count=count,
        ready=ready,
    )


def waiting(container: Container, reason: str | None, message: str | None = None) -> Container:
    """The container as it waits."""
    return replace(container, state=ContainerState(waiting=Waiting(reason=reason, message=message)), ready=False)


def end(
    code: int | None, started: float | None, finished: float | None, *, reason: str = "Error", message: str | None = None
) -> Terminated:
    """A termination."""
    return Terminated(
        exit_code=code,
        reason=reason,
        message=message,
        started_at=at(started) if started is not None else None,
        finished_at=at(finished) if finished is not None else None,
        container_id=f"containerd://{finished}",
    )


def ended(container: Container, how: Terminated) -> Container:
    """The container as it lies there, ended."""
    return replace(container, state=ContainerState(terminated=how), ready=False)


def ended_before(container: Container, how: Terminated, *, restarts: int = 1) -> Container:
    """The container with an earlier end behind it."""
    return replace(container, last_state=ContainerState(terminated=how), restart_count=restarts)


def pod(seconds: float, *containers: Container, like: Pod = POD) -> PodObservation:
    """A pod's state, received at a moment."""
    body = replace(like, resource_version=str(1000 + round(seconds * 10)), containers=containers, created_at=at(0))
    return PodObservation(
        schema_version=SCHEMA_VERSION,
        id=f"{CLUSTER.uid}/{like.uid}/{body.resource_version}",
        cluster=CLUSTER,
        observed_at=at(seconds),
        pod=body,
    )


def deleted(seconds: float, *containers: Container, like: Pod = POD) -> PodDeletedObservation:
    """A pod is gone."""
    last = pod(seconds, *containers, like=like)
    return PodDeletedObservation(
        schema_version=SCHEMA_VERSION, id=last.id, cluster=CLUSTER, observed_at=last.observed_at, pod=last.pod
    )


def event(
    seconds: float,
    reason: str,
    message: str,
    container: str | None = "app",
    *,
    count: int = 1,
    first: float | None = None,
    like: Pod = POD,
    init: bool = False,
) -> EventObservation:
    """An Event on the pod, or on one of its containers; its repeats are one object."""
    field = "initContainers" if init else "containers"
    path = f"spec.{field}{{{container}}}" if container is not None else None
    uid = f"{like.uid}/{reason}/{path or ''}/{message}"
    version = str(500 + round(seconds * 10))
    return EventObservation(
        schema_version=SCHEMA_VERSION,
        id=f"{CLUSTER.uid}/{uid}/{version}",
        cluster=CLUSTER,
        observed_at=at(seconds),
        event=Event(
            reason=reason,
            message=message,
            involved_object=ObjectReference(namespace=like.namespace, name=like.name, uid=like.uid, field_path=path),
            uid=uid,
            resource_version=version,
            count=count,
            first_at=at(first if first is not None else seconds),
            last_at=at(seconds),
            created_at=at(first if first is not None else seconds),
            source_component="kubelet",
        ),
    )


def log(seconds: float, text: str, container: str = "app", *, of: float | None = None) -> LogObservation:
    """The last lines of the instance that finished at a moment."""
    return LogObservation(
        schema_version=SCHEMA_VERSION,
        id=f"{CLUSTER.uid}/{POD.uid}/{container}-{seconds}",
        cluster=CLUSTER,
        observed_at=at(seconds),
        log=Log(
            namespace=POD.namespace,
            pod_name=POD.name,
            pod_uid=POD.uid,
            container=container,
            text=text,
            container_id=f"containerd://{of if of is not None else seconds}",
        ),
    )


def crashes(
    container: Container,
    code: int | None,
    *moments: float,
    lived: float = 5,
    reason: str = "Error",
    message: str | None = None,
    text: str | None = None,
    like: Pod = POD,
) -> tuple[Observation, ...]:
    """The container runs, ends with that code at each of the moments, and is started again a second later; ``text``: its log."""
    seen: list[Observation] = [pod(moments[0] - lived, running(container, moments[0] - lived), like=like)]
    for number, moment in enumerate(moments, start=1):
        how = end(code, moment - lived, moment, reason=reason, message=message)
        again = ended_before(container, how, restarts=number)
        seen.append(pod(moment + 1, running(again, moment + 1), like=like))
        if text is not None:
            seen.append(log(moment + 1, text, container.name, of=moment))
    return tuple(seen)
