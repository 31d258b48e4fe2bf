"""The life of episodes: when they open, what is news, how they end, and what comes after."""

from typing import Any

import pytest
from msgspec.structs import replace

from processor.rules.cases.case import (
    APP,
    POD,
    at,
    clock,
    crashes,
    deleted,
    end,
    ended,
    ended_before,
    event,
    log,
    pod,
    running,
    waiting,
)
from processor.settings import CorrelationSettings, SeverityRule
from schemas.observation import Port, Probe, Workload

Timeline = Any

JOB = replace(POD, owner=Workload(kind="Job", name="import"), restart_policy="OnFailure")
REFUSED = 'Get "http://10.1.0.7:8080/": dial tcp 10.1.0.7:8080: connect: connection refused'
OPENED = "app r1 opened: container_restarts app_error_exit x2"


def crash(moment: float, number: int, code: int = 3, lived: float = 5) -> list[Any]:
    """The instance that ends at a moment, and the next one that starts a second later."""
    how = end(code, moment - lived, moment)
    return [pod(moment + 1, running(ended_before(APP, how, restarts=number), moment + 1))]


# --- opening -------------------------------------------------------------------------------------------------------------------


def test_a_loop_opens_with_its_second_crash(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1))
    timeline.expect()
    timeline.push(*crash(30, 2))
    timeline.expect(OPENED)


def test_a_first_crash_with_a_back_off_is_a_loop(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), pod(10, ended(APP, end(3, 1, 9))))
    timeline.expect()
    timeline.push(event(11, "BackOff", "Back-off restarting failed container app in pod web-1_shop(pod-uid)"))
    timeline.expect(OPENED)


def test_a_first_oom_kill_opens(timeline: Timeline) -> None:
    timeline.push(*crashes(APP, 137, 10, reason="OOMKilled"))
    timeline.expect("app r1 opened: container_restarts oom_killed x1")


def test_a_first_probe_kill_opens(timeline: Timeline) -> None:
    web = replace(APP, liveness=Probe(handler="http", port=8080))
    timeline.push(pod(1, running(web, 0)))
    timeline.push(event(20, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", count=3, first=0))
    timeline.expect()
    timeline.push(event(20, "Killing", "Container app failed liveness probe, will be restarted"))
    timeline.expect("app r1 opened: container_restarts liveness_probe_failing x1")


def test_a_missing_image_opens_at_the_first_proof(timeline: Timeline) -> None:
    timeline.push(pod(5, waiting(APP, "ErrImagePull", "docker.io/shop/web:1: not found"), like=replace(POD, phase="Pending")))
    timeline.expect("app r1 opened: image_pull image_not_found x1")


def test_an_unreachable_registry_opens_with_the_second_failure(timeline: Timeline) -> None:
    text = "dial tcp: lookup r.example: no such host"
    timeline.push(pod(5, waiting(APP, "ErrImagePull", text)), pod(15, waiting(APP, "ImagePullBackOff", "Back-off")))
    timeline.expect()
    timeline.push(pod(30, waiting(APP, "ErrImagePull", text)))
    timeline.expect("app r1 opened: image_pull image_pull_network x2")


def test_waiting_needs_the_clock(timeline: Timeline) -> None:
    web = replace(APP, readiness=Probe(handler="http", port=8080))
    timeline.push(pod(1, running(web, 1, ready=False)))
    timeline.push(event(500, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500", count=50, first=2))
    timeline.expect()
    timeline.clock_to(121)
    timeline.expect("app r1 opened: not_ready readiness_probe_failing x50")


def test_two_containers_are_two_episodes(timeline: Timeline) -> None:
    other = replace(APP, name="cache", image="shop/cache:1")
    timeline.push(
        pod(1, running(APP, 1), waiting(other, "ErrImagePull", "docker.io/shop/cache:1: not found")),
        pod(31, running(ended_before(APP, end(139, 2, 30), restarts=2), 31), waiting(other, "ImagePullBackOff", "Back-off")),
    )
    timeline.expect(
        "cache r1 opened: image_pull image_not_found x1",
        "app r1 opened: container_restarts signal_crash x2",
    )


# --- news ----------------------------------------------------------------------------------------------------------------------


def test_only_news_is_told(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1), *crash(30, 2))
    timeline.expect(OPENED)
    timeline.push(*crash(50, 3))
    timeline.expect()
    timeline.push(*crash(70, 4))
    timeline.expect("app r2 updated: container_restarts app_error_exit x4")
    timeline.push(*crash(90, 5), *crash(110, 6), *crash(130, 7))
    timeline.expect()
    timeline.push(*crash(150, 8))
    timeline.expect("app r3 updated: container_restarts app_error_exit x8")


def test_a_new_exit_code_is_news_once(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1), *crash(30, 2), *crash(50, 3, code=4))
    timeline.expect(OPENED, "app r2 updated: container_restarts app_error_exit x3")
    timeline.push(*crash(70, 4, code=3), *crash(90, 5, code=4))
    timeline.expect()


def test_a_log_that_tells_a_better_cause_is_news(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1), *crash(30, 2))
    timeline.push(log(32, "dial tcp 10.0.0.9:5432: connect: connection refused", of=30))
    timeline.expect(OPENED, "app r2 updated: container_restarts dependency_unavailable x2")


def test_a_surer_cause_is_news(timeline: Timeline) -> None:
    slow = replace(APP, startup=Probe(handler="http", port=8080))
    timeline.push(pod(1, running(slow, 0, ready=False)))
    for number, begun in enumerate((0, 23), start=1):
        killed = ended_before(slow, end(143, begun, begun + 22), restarts=number)
        timeline.push(pod(begun + 23, running(killed, begun + 23, ready=False)))
    timeline.expect("app r1 opened: container_restarts startup_too_slow x2")
    timeline.push(event(45, "Killing", "Container app failed startup probe, will be restarted", count=2, first=22))
    timeline.push(event(46, "Unhealthy", f"Startup probe failed: {REFUSED}", count=6, first=2))
    timeline.expect(
        "app r2 updated: container_restarts startup_too_slow x2",
        "app r3 updated: container_restarts startup_too_slow x2",
    )
    assert [revision.diagnosis.cause.confidence for revision in timeline.revisions] == [0.39, 0.6, 0.88]


def test_time_alone_is_no_news(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1), *crash(30, 2))
    timeline.expect(OPENED)
    for seconds in range(45, 600, 15):
        timeline.clock_to(seconds)
    timeline.expect()


# --- ends ----------------------------------------------------------------------------------------------------------------------


def test_it_has_recovered_ten_minutes_after_its_last_start(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1), *crash(30, 2))
    timeline.clock_to(630)
    timeline.expect(OPENED)
    timeline.clock_to(631)
    timeline.expect("app r2 resolved recovered: container_restarts app_error_exit x2")


def test_a_pause_of_the_back_off_is_no_recovery(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1))
    lying = ended_before(APP, end(3, 11, 30), restarts=1)
    timeline.push(pod(31, waiting(lying, "CrashLoopBackOff", "back-off 5m0s restarting failed container=app")))
    timeline.clock_to(4000)
    timeline.expect("app r1 opened: container_restarts app_error_exit x2")


def test_a_loop_slower_than_the_pause_is_one_episode(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1), *crash(30, 2))
    timeline.expect(OPENED)
    timeline.clock_to(600)
    timeline.push(*crash(625, 3, lived=590))
    timeline.clock_to(700)
    timeline.expect()


def test_a_job_that_succeeds_in_the_end_has_completed(timeline: Timeline) -> None:
    timeline.push(*crashes(APP, 1, 10, 30, like=JOB))
    timeline.expect("app r1 opened: container_restarts app_error_exit x2")
    done = ended_before(ended(APP, end(0, 31, 40, reason="Completed")), end(1, 25, 30), restarts=2)
    timeline.push(pod(41, done, like=replace(JOB, phase="Succeeded")))
    timeline.expect("app r2 resolved completed: container_restarts app_error_exit x2")


def test_it_is_deleted(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1), *crash(30, 2))
    timeline.push(deleted(40, running(APP, 31)))
    timeline.expect(OPENED, "app r2 resolved deleted: container_restarts app_error_exit x2")


def test_it_is_replaced_by_a_pod_of_its_name(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1), *crash(30, 2))
    timeline.push(pod(40, running(APP, 40), like=replace(POD, uid="pod-uid-2")))
    timeline.expect(OPENED, "app r2 resolved replaced: container_restarts app_error_exit x2")


def test_a_pod_that_failed_for_good_expires_an_hour_later(timeline: Timeline) -> None:
    never = replace(JOB, restart_policy="Never")
    timeline.push(pod(1, running(APP, 1), like=never), pod(30, ended(APP, end(1, 1, 29)), like=replace(never, phase="Failed")))
    timeline.clock_to(3629)
    timeline.expect("app r1 opened: container_restarts app_error_exit x1")
    timeline.clock_to(3630)
    timeline.expect("app r2 resolved expired: container_restarts app_error_exit x1")


def test_a_pod_that_nothing_is_heard_of_expires_after_a_day(timeline: Timeline) -> None:
    timeline.push(pod(1, waiting(APP, "CreateContainerConfigError", 'secret "db" not found')))
    timeline.clock_to(86_400)
    timeline.expect("app r1 opened: container_create config_missing x1")
    timeline.clock_to(86_401)
    timeline.expect("app r2 resolved expired: container_create config_missing x1")


def test_a_container_that_starts_ends_its_pull(timeline: Timeline) -> None:
    timeline.clock_to(0)
    timeline.push(pod(5, waiting(APP, "ErrImagePull", "docker.io/shop/web:1: not found")))
    timeline.expect("app r1 opened: image_pull image_not_found x1")
    timeline.push(pod(30, running(APP, 30)))
    timeline.expect("app r2 resolved recovered: image_pull image_not_found x1")


def test_what_ended_before_the_first_clock_is_resolved_by_it(timeline: Timeline) -> None:
    timeline.push(pod(5, waiting(APP, "ErrImagePull", "docker.io/shop/web:1: not found")), pod(10, running(APP, 10)))
    timeline.clock_to(15)
    timeline.expect("app r1 opened: image_pull image_not_found x1", "app r2 resolved recovered: image_pull image_not_found x1")


@pytest.mark.parametrize(("seconds", "resolved"), [(259, False), (260, True)])
def test_ready_for_a_minute_ends_not_ready(timeline: Timeline, seconds: float, *, resolved: bool) -> None:
    web = replace(APP, readiness=Probe(handler="http", port=8080))
    timeline.push(pod(1, running(web, 1, ready=False)))
    timeline.clock_to(130)
    timeline.expect("app r1 opened: not_ready readiness_probe_failing x1")
    timeline.push(pod(200, running(web, 1, ready=True)))
    timeline.clock_to(seconds)
    timeline.expect(*["app r2 resolved recovered: not_ready readiness_probe_failing x1"] * resolved)


def test_a_recurrence_is_a_new_episode_of_the_same_fingerprint(timeline: Timeline) -> None:
    timeline.push(pod(1, running(APP, 1)), *crash(10, 1), *crash(30, 2))
    timeline.clock_to(631)
    timeline.push(*crash(2000, 3), *crash(2020, 4))
    timeline.expect(OPENED, "app r2 resolved recovered: container_restarts app_error_exit x2", OPENED)
    first, _, second = timeline.revisions
    assert first.diagnosis.fingerprint == second.diagnosis.fingerprint
    assert first.diagnosis.id != second.diagnosis.id
    assert second.diagnosis.opened_at == at(2021)


# --- severity and names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "severity", "number"),
    [
        (SeverityRule("critical", cause="app_error_exit"), "critical", 21),
        (SeverityRule("info", cause="oom_killed"), "error", 17),
        (SeverityRule("warning", namespace="shop"), "warning", 13),
        (SeverityRule("warning", namespace="sho"), "error", 17),
        (SeverityRule("critical", label=("tier", "front")), "critical", 21),
        (SeverityRule("critical", label=("tier", "back")), "error", 17),
        (SeverityRule("critical", cause="app_error_exit", namespace="other"), "error", 17),
    ],
)
def test_a_severity_rule_applies_when_all_of_it_matches(
    timeline_with: Any, rule: SeverityRule, severity: str, number: int
) -> None:
    timeline = timeline_with(CorrelationSettings(severity_rules=(rule,)))
    timeline.push(*crashes(APP, 3, 10, 30, like=replace(POD, labels={"tier": "front"})))
    (opened,) = timeline.revisions
    assert (opened.severity, opened.severity_number) == (severity, number)
    assert opened.k8s.pod.labels == {"tier": "front"}


def test_the_first_severity_rule_that_matches_decides(timeline_with: Any) -> None:
    rules = (SeverityRule("warning", namespace="shop"), SeverityRule("critical", cause="app_error_exit"))
    timeline = timeline_with(CorrelationSettings(severity_rules=rules))
    timeline.push(*crashes(APP, 3, 10, 30))
    timeline.push(deleted(40, running(APP, 31)))
    assert [revision.severity for revision in timeline.revisions] == ["warning", "info"]


def test_not_ready_is_a_warning(timeline: Timeline) -> None:
    timeline.push(pod(1, running(replace(APP, readiness=Probe(handler="tcp", port=80)), 1, ready=False)), clock(200))
    assert [revision.severity for revision in timeline.revisions] == ["warning"]


def test_the_remediation_names_the_field_and_the_value(timeline: Timeline) -> None:
    web = replace(APP, ports=(Port(port=8080),), liveness=Probe(handler="http", port=9999))
    timeline.push(pod(1, running(web, 0)))
    refused = 'Get "http://10.1.0.7:9999/": dial tcp 10.1.0.7:9999: connect: connection refused'
    timeline.push(event(20, "Unhealthy", f"Liveness probe failed: {refused}", count=3, first=0))
    timeline.push(event(20, "Killing", "Container app failed liveness probe, will be restarted"))
    (opened,) = timeline.revisions
    assert opened.diagnosis.remediation[0] == "livenessProbe.httpGet.port: 9999 → 8080, the port that the container declares"
