"""What is no diagnosis, and what is one diagnosis only: one root cause is one episode."""

from typing import Any

import pytest
from msgspec.structs import replace

from processor.rules.cases.case import APP, POD, crashes, deleted, end, ended, ended_before, event, pod, running, waiting
from schemas.observation import Condition, Observation, Port, Probe

Timeline = Any

WEB = replace(
    APP, ports=(Port(port=8080),), readiness=Probe(handler="http", port=8080), liveness=Probe(handler="http", port=8080)
)
GOING = replace(POD, deletion_at="2026-03-02T10:00:50Z")
SUCCEEDED = replace(POD, phase="Succeeded", restart_policy="OnFailure")
UNREADY = "Readiness probe failed: HTTP probe failed with statuscode: 503"
STOP = "Stopping container app"


def api_eviction() -> Any:
    wish = Condition(type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI")
    return replace(GOING, conditions=(wish,))


def planned(message: str, image: str | None = "shop/web:1") -> list[Observation]:
    """The kubelet ends the container on purpose, with 137, twice."""
    changed = replace(WEB, image=image)
    return [
        pod(1, running(WEB, 1, ready=True)),
        event(20, "Killing", message),
        pod(51, running(ended_before(changed, end(137, 1, 50)), 51, ready=True)),
        event(70, "Killing", message, count=2, first=20),
        pod(101, running(ended_before(changed, end(137, 51, 100), restarts=2), 101, ready=True)),
    ]


QUIET = {
    "a rollout: the old pod stops with 143, and readiness fails while it does": [
        pod(1, running(WEB, 1, ready=True)),
        pod(20, running(WEB, 1, ready=True), like=GOING),
        event(20, "Killing", STOP),
        event(25, "Unhealthy", UNREADY, count=3, first=21),
        pod(26, running(WEB, 1, ready=False), like=GOING),
        pod(50, ended(WEB, end(143, 1, 49)), like=GOING),
        deleted(51, ended(WEB, end(143, 1, 49)), like=GOING),
    ],
    "a deletion that SIGTERM did not hurry: 137": [
        pod(1, running(WEB, 1, ready=True)),
        pod(20, running(WEB, 1, ready=True), like=GOING),
        event(20, "Killing", STOP),
        pod(51, ended(WEB, end(137, 1, 50)), like=GOING),
        deleted(52, ended(WEB, end(137, 1, 50)), like=GOING),
    ],
    "an eviction through the API": [
        pod(1, running(WEB, 1, ready=True)),
        pod(20, running(WEB, 1, ready=True), like=api_eviction()),
        event(20, "Killing", STOP),
        pod(50, ended(WEB, end(143, 1, 49)), like=api_eviction()),
        deleted(51, ended(WEB, end(143, 1, 49)), like=api_eviction()),
    ],
    "a sandbox that is made anew": [
        pod(1, running(WEB, 1, ready=True)),
        event(20, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", None),
        pod(31, running(ended_before(WEB, end(137, 1, 21)), 31, ready=True)),
    ],
    "a changed definition": planned("Container app definition changed, will be restarted"),
    "a changed image, and no event that says so": [
        pod(1, running(WEB, 1, ready=True)),
        pod(31, running(ended_before(replace(WEB, image="shop/web:2"), end(137, 1, 30)), 31, ready=True)),
    ],
    "an in-place resize": planned("Container app resize requires restart"),
    "a restart rule": planned("killing"),
    "a Job that completes": [
        pod(1, running(APP, 1), like=replace(SUCCEEDED, phase="Running")),
        pod(40, ended(APP, end(0, 1, 39, reason="Completed")), like=SUCCEEDED),
    ],
    "a Job's sidecar is stopped after its main container": [
        pod(
            1, running(APP, 1), running(replace(APP, name="mesh", type="sidecar"), 1), like=replace(SUCCEEDED, phase="Running")
        ),
        event(41, "Killing", "Stopping container mesh", "mesh", init=True),
        pod(
            42,
            ended(APP, end(0, 1, 39, reason="Completed")),
            ended(replace(APP, name="mesh", type="sidecar"), end(137, 1, 41)),
            like=SUCCEEDED,
        ),
    ],
    "a node that rebooted, and everything came back": [
        pod(1, running(WEB, 1, ready=True)),
        pod(61, running(ended_before(WEB, end(255, 1, 30, reason="Unknown")), 61, ready=True)),
    ],
    "an ephemeral container that fails": [
        pod(1, running(WEB, 1, ready=True), ended(replace(APP, name="debug", type="ephemeral"), end(1, 1, 2))),
    ],
    "a slow start that ends well": [
        pod(1, running(WEB, 1, ready=False)),
        event(100, "Unhealthy", UNREADY, count=10, first=5),
        pod(115, running(WEB, 1, ready=True)),
    ],
    "noise that spends the event budget": [
        pod(1, running(WEB, 1, ready=True)),
        event(5, "DNSConfigForming", "Nameserver limits were exceeded", None, count=40, first=2),
        event(6, "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (a)", None, count=40, first=2),
    ],
}


@pytest.mark.parametrize("steps", QUIET.values(), ids=QUIET.keys())
def test_no_diagnosis(timeline: Timeline, steps: list[Observation]) -> None:
    for step in steps:
        timeline.push(step)
    for seconds in range(120, 1500, 15):
        timeline.clock_to(seconds)
    timeline.expect()


def test_a_crash_loop_does_not_also_give_not_ready(timeline: Timeline) -> None:
    slow = replace(WEB, liveness=None)
    timeline.push(*crashes(slow, 1, 10, 30))
    timeline.push(pod(40, running(ended_before(slow, end(1, 25, 30), restarts=2), 31, ready=False)))
    timeline.push(event(50, "Unhealthy", UNREADY, count=4, first=12))
    for seconds in range(60, 600, 15):
        timeline.clock_to(seconds)
    timeline.expect("app r1 opened: container_restarts app_error_exit x2")


def test_a_probe_kill_is_not_also_a_crash_or_not_ready(timeline: Timeline) -> None:
    failed = "Liveness probe failed: HTTP probe failed with statuscode: 500"
    timeline.push(pod(1, running(WEB, 0, ready=False)))
    for number, begun in enumerate((0, 22, 44), start=1):
        timeline.push(
            event(begun + 20, "Unhealthy", failed, count=3 * number, first=0),
            event(begun + 20, "Unhealthy", UNREADY, count=3 * number, first=0),
            event(begun + 20, "Killing", "Container app failed liveness probe, will be restarted", count=number, first=20),
            pod(begun + 22, running(ended_before(WEB, end(143, begun, begun + 21), restarts=number), begun + 22, ready=False)),
        )
    timeline.push(event(67, "BackOff", "Back-off restarting failed container app in pod web-1_shop(pod-uid)"))
    for seconds in range(75, 600, 15):
        timeline.clock_to(seconds)
    timeline.expect(
        "app r1 opened: container_restarts liveness_probe_failing x1",
        "app r2 updated: container_restarts liveness_probe_failing x1",
        "app r3 updated: container_restarts liveness_probe_failing x2",
    )


def test_a_pod_that_is_evicted_has_no_container_that_fails(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), event(20, "Evicted", "The node was low on resource: memory. ", None))
    failed = replace(POD, phase="Failed", reason="Evicted", message="The node was low on resource: memory. ")
    timeline.push(event(20, "Killing", STOP), pod(30, ended(APP, end(137, 1, 29)), like=failed))
    timeline.clock_to(600)
    timeline.expect("- r1 opened: evicted evicted_resource_pressure x1")


def test_a_missing_secret_is_not_also_a_pod_that_does_not_start(timeline: Timeline) -> None:
    pending = replace(POD, phase="Pending")
    timeline.push(pod(5, waiting(APP, "CreateContainerConfigError", 'secret "db" not found'), like=pending))
    timeline.push(event(6, "Failed", 'Error: secret "db" not found', count=1))
    for seconds in range(15, 600, 15):
        timeline.clock_to(seconds)
    timeline.expect("app r1 opened: container_create config_missing x1")
