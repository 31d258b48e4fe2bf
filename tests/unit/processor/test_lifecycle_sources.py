"""Whose word it is: clusters and their clocks, nodes whose clocks are wrong, pods of one name, events alone and statuses alone."""

from typing import Any

import pytest
from msgspec.structs import replace

from processor.rules.cases.case import (
    APP,
    CLUSTER,
    POD,
    at,
    clock,
    crashes,
    deleted,
    end,
    ended_before,
    event,
    pod,
    running,
    waiting,
)
from schemas.observation import Cluster, Observation, Probe, Workload

Timeline = Any

OTHER = Cluster(name="other", uid="other-uid")
OPENED = "app r1 opened: container_restarts app_error_exit x2"
RECOVERED = "app r2 resolved recovered: container_restarts app_error_exit x2"
HOUR = 3600


def in_cluster(observation: Any, cluster: Cluster) -> Any:
    return replace(observation, cluster=cluster)


# --- clusters ------------------------------------------------------------------------------------------------------------------


def test_another_clusters_clock_resolves_nothing(timeline: Timeline) -> None:
    timeline.push(*crashes(APP, 3, 10, 30), clock(100_000, OTHER))
    timeline.expect(OPENED)
    timeline.clock_to(631)
    timeline.expect(RECOVERED)


def test_a_cluster_without_clocks_resolves_nothing(timeline: Timeline) -> None:
    timeline.push(*crashes(APP, 3, 10, 30))
    timeline.push(pod(200_000, running(ended_before(APP, end(3, 25, 30), restarts=2), 31, ready=True)))
    timeline.expect(OPENED)


def test_the_same_pod_in_two_clusters_is_two_pods(timeline: Timeline) -> None:
    for observation in crashes(APP, 3, 10, 30):
        timeline.push(observation, in_cluster(observation, OTHER))
    timeline.clock_to(631)
    timeline.expect(OPENED, OPENED, RECOVERED)
    assert [revision.k8s.cluster.name for revision in timeline.revisions] == ["case", "other", "case"]
    assert len({revision.diagnosis.fingerprint for revision in timeline.revisions}) == 2


def test_a_clock_that_goes_back_changes_nothing(timeline: Timeline) -> None:
    timeline.push(*crashes(APP, 3, 10, 30), clock(600), clock(20))
    timeline.clock_to(631)
    timeline.expect(OPENED, RECOVERED)


# --- nodes' clocks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew", [-5 * HOUR, -120, 120, 5 * HOUR])
def test_a_node_whose_clock_is_wrong_gives_the_same_episode(timeline: Timeline, skew: float) -> None:
    """Its statuses carry its own time, receipts the collector's."""
    timeline.push(pod(1, running(APP, 1 + skew)))
    timeline.push(pod(11, running(ended_before(APP, end(3, 1 + skew, 10 + skew)), 11 + skew)))
    timeline.push(pod(31, running(ended_before(APP, end(3, 11 + skew, 30 + skew), restarts=2), 31 + skew)))
    timeline.expect(OPENED)
    timeline.clock_to(630)
    timeline.expect()
    timeline.clock_to(631)
    timeline.expect(RECOVERED)


@pytest.mark.parametrize("skew", [-5 * HOUR, 5 * HOUR])
def test_events_of_such_a_node_are_taken_at_the_servers_time(timeline: Timeline, skew: float) -> None:
    """The event's own times are the node's, ``created_at`` is the API server's."""
    web = replace(APP, liveness=Probe(handler="http", port=8080))
    failed = event(20, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")
    killed = event(21, "Killing", "Container app failed liveness probe, will be restarted")
    timeline.push(pod(1, running(web, skew)))
    for told in (failed, killed):
        times = {"first_at": at(20 + skew), "last_at": at(20 + skew)}
        timeline.push(replace(told, event=replace(told.event, **times)))
    timeline.push(pod(23, running(ended_before(web, end(143, skew, 22 + skew)), 23 + skew)))
    timeline.expect(
        "app r1 opened: container_restarts liveness_probe_failing x1",
        "app r2 updated: container_restarts liveness_probe_failing x1",
    )


# --- pods of one name ----------------------------------------------------------------------------------------------------------


def test_a_static_pods_events_are_its_mirrors(timeline: Timeline) -> None:
    static = replace(POD, static_uid="0123456789abcdef0123456789abcdef", owner=None)
    told = replace(static, uid=static.static_uid)
    timeline.push(event(5, "Started", "Started container app", like=told))
    timeline.push(pod(6, running(APP, 5), like=static))
    timeline.push(pod(11, running(ended_before(APP, end(3, 5, 10)), 11), like=static))
    timeline.push(event(12, "BackOff", "Back-off restarting failed container app in pod web-1_shop(x)", like=told))
    timeline.expect(OPENED)
    assert [(revision.k8s.pod.uid, revision.k8s.workload.kind) for revision in timeline.revisions] == [("pod-uid", "Pod")]


def test_an_event_without_a_uid_is_about_the_pod_that_lives(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)))
    timeline.push(event(20, "TaintManagerEviction", "Marking for deletion Pod shop/web-1", None, like=replace(POD, uid=None)))
    timeline.expect("- r1 opened: evicted node_lost x1")
    assert [revision.k8s.pod.uid for revision in timeline.revisions] == ["pod-uid"]


def test_late_events_of_a_deleted_pod_open_nothing(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), deleted(20, running(APP, 1)))
    timeline.push(event(25, "BackOff", "Back-off restarting failed container app in pod web-1_shop(pod-uid)", count=5, first=2))
    timeline.clock_to(600)
    timeline.expect()


def test_late_events_of_an_older_pod_do_not_hit_the_new_one(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), deleted(20, running(APP, 1)))
    timeline.push(pod(22, running(APP, 22), like=replace(POD, uid="pod-uid-2")))
    timeline.push(event(25, "BackOff", "Back-off restarting failed container app in pod web-1_shop(pod-uid)", count=5, first=2))
    timeline.clock_to(600)
    timeline.expect()


def test_the_episodes_of_a_statefulset_share_a_fingerprint_and_no_id(timeline: Timeline) -> None:
    owner = Workload(kind="StatefulSet", name="db")
    for uid in ("uid-1", "uid-2"):
        timeline.push(*crashes(APP, 3, 10, 30, like=replace(POD, uid=uid, owner=owner)))
    timeline.expect(OPENED, "app r2 resolved replaced: container_restarts app_error_exit x2", OPENED)
    first, _, second = timeline.revisions
    assert first.diagnosis.fingerprint == second.diagnosis.fingerprint
    assert first.diagnosis.id != second.diagnosis.id
    assert second.k8s.statefulset.name == "db"


# --- events alone, statuses alone ----------------------------------------------------------------------------------------------

REFUSED = 'Get "http://10.1.0.7:8080/": dial tcp 10.1.0.7:8080: connect: connection refused'
SLOW = replace(APP, startup=Probe(handler="http", port=8080))

EVENTS_ALONE: dict[str, tuple[list[Observation], str]] = {
    "a missing image": ([event(5, "Failed", 'Failed to pull image "shop/web:1": shop/web:1: not found')], "image_not_found"),
    "a missing Secret": ([event(5, "Failed", 'Error: secret "db" not found')], "config_missing"),
    "a missing command": (
        [event(5, "Failed", 'Error: failed to start container "app": exec: "web": executable file not found in $PATH')],
        "command_not_found",
    ),
    "a slow start": (
        [
            event(20, "Unhealthy", f"Startup probe failed: {REFUSED}", count=3, first=0),
            event(20, "Killing", "Container app failed startup probe, will be restarted"),
        ],
        "startup_too_slow",
    ),
    "an eviction": ([event(5, "Evicted", "The node was low on resource: memory. ", None)], "evicted_resource_pressure"),
}


def causes(timeline: Timeline) -> list[str]:
    return [revision.diagnosis.cause.id for revision in timeline.revisions if revision.diagnosis.state == "opened"]


@pytest.mark.parametrize(("steps", "cause"), EVENTS_ALONE.values(), ids=EVENTS_ALONE.keys())
def test_events_alone_reach_the_cause(timeline: Timeline, steps: list[Observation], cause: str) -> None:
    timeline.push(*steps)
    assert causes(timeline) == [cause]


def test_a_startup_kill_is_found_by_status_alone(timeline: Timeline) -> None:
    timeline.push(pod(1, running(SLOW, 0, ready=False)))
    timeline.push(pod(23, running(ended_before(SLOW, end(143, 0, 22)), 23, ready=False)))
    timeline.push(pod(46, running(ended_before(SLOW, end(143, 23, 45), restarts=2), 46, ready=False)))
    assert causes(timeline) == ["startup_too_slow"]


def test_a_status_makes_the_events_cause_surer(timeline: Timeline, timeline_with: Any) -> None:
    text = "docker.io/shop/web:1: not found"
    told = event(20, "Failed", f'Failed to pull image "shop/web:1": {text}')
    timeline.push(told)
    both = timeline_with()
    both.push(pod(19, waiting(APP, "ErrImagePull", text)), told)
    (alone,), (sure,) = timeline.revisions, both.revisions
    assert (alone.diagnosis.cause.id, alone.diagnosis.id) == (sure.diagnosis.cause.id, sure.diagnosis.id)
    assert alone.diagnosis.cause.confidence < sure.diagnosis.cause.confidence


def test_the_state_survives_a_restart_of_the_process(timeline: Timeline) -> None:
    for observation in crashes(APP, 3, 10, 30):
        timeline.push(observation)
        timeline.restart()
    timeline.clock_to(600)
    timeline.restart()
    timeline.clock_to(631)
    timeline.expect(OPENED, RECOVERED)


def test_clusters_are_told_apart_by_uid_and_named(timeline: Timeline) -> None:
    timeline.push(*crashes(APP, 3, 10, 30))
    (opened,) = timeline.revisions
    assert (opened.k8s.cluster.name, opened.k8s.cluster.uid) == (CLUSTER.name, CLUSTER.uid)
