import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.health import (
    HealthError,
    HealthLimits,
    HealthServer,
    Heartbeat,
    Leadership,
    judge_liveness,
    judge_readiness,
)
from collector.stats import CollectorStats

NOW_MS = 1_800_000_000_000


def flowing(now_ms: int = NOW_MS) -> CollectorStats:
    stats = CollectorStats()
    stats.collecting(now_ms - 600_000)
    for resource in ("pods", "events"):
        stats.watch_connected(resource, restart=False)
        stats.received(resource, now_ms - 5_000, bookmark=resource == "pods")
        stats.complete(resource, now_ms - 5_000)
    stats.acknowledged("pod", 0.02, now_ms - 5_000)
    stats.in_flight(0, None, 0)
    return stats


def test_a_collector_through_which_observations_flow_is_ready() -> None:
    verdict = judge_readiness(flowing().snapshot(), NOW_MS)
    assert verdict.good
    assert verdict.words == ("collecting",)


def test_before_it_collects_it_is_not_ready() -> None:
    assert not judge_readiness(CollectorStats().snapshot(), NOW_MS).good


def test_before_the_first_list_is_through_it_is_not_ready() -> None:
    stats = CollectorStats()
    stats.collecting(NOW_MS - 1_000)
    verdict = judge_readiness(stats.snapshot(), NOW_MS)
    assert not verdict.good
    assert "the first list of pods is not through" in verdict.words


@pytest.mark.parametrize("resource", ["pods", "events"])
def test_a_watch_that_proves_nothing_new_has_stalled(resource: str) -> None:
    stats = flowing()
    stats.complete(resource, NOW_MS - 61_000)
    stats.watch_ended(resource)
    verdict = judge_readiness(stats.snapshot(), NOW_MS)
    assert not verdict.good
    assert verdict.words == (f"the watch of {resource} has brought nothing new for 61 s (not connected)",)


def test_a_watch_without_the_bookmarks_that_it_used_to_get_has_stalled() -> None:
    verdict = judge_readiness(flowing(NOW_MS - 200_000).snapshot(), NOW_MS, HealthLimits(watch_seconds=1_000))
    assert verdict.words == ("the watch of pods has had no bookmark for 205 s",)


def test_kafka_that_does_not_acknowledge_makes_it_unready() -> None:
    stats = flowing()
    stats.in_flight(7, NOW_MS - 31_000, 0)
    verdict = judge_readiness(stats.snapshot(), NOW_MS)
    assert verdict.words == ("Kafka has not acknowledged for 31 s (7 unacknowledged)",)
    assert not verdict.good


def test_a_standby_is_ready_and_says_so() -> None:
    verdict = judge_readiness(CollectorStats().snapshot(), NOW_MS, leadership=Leadership(leading=False, holder="other"))
    assert verdict.good
    assert verdict.words == ("standby: other leads",)


def test_a_standby_that_may_not_use_the_lease_is_not_ready() -> None:
    leadership = Leadership(leading=False, refusal="cannot get leases")
    assert not judge_readiness(CollectorStats().snapshot(), NOW_MS, leadership=leadership).good


def test_liveness_fails_only_when_the_loop_hangs_by_itself() -> None:
    stats = flowing()
    assert judge_liveness(stats.snapshot(), NOW_MS, None).good
    assert judge_liveness(stats.snapshot(), NOW_MS, 119.0).good
    assert not judge_liveness(stats.snapshot(), NOW_MS, 121.0).good
    stats.in_flight(7, NOW_MS - 61_000, 0)
    assert judge_liveness(stats.snapshot(), NOW_MS, 121.0).good


def test_a_heartbeat_that_rests_is_not_missed() -> None:
    now = [0.0]
    heartbeat = Heartbeat(lambda: now[0])
    assert heartbeat.age_seconds() is None
    heartbeat.beat()
    now[0] = 5.0
    assert heartbeat.age_seconds() == 5.0
    assert heartbeat.heard(lambda: True)()
    assert heartbeat.age_seconds() == 0.0
    heartbeat.rest()
    assert heartbeat.age_seconds() is None


@dataclass
class Standby:
    holder: str | None = "other"
    refusal: str | None = None

    def leading(self) -> bool:
        return False


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_server_answers_probes() -> None:
    stats = flowing()
    with HealthServer(0, stats, now_ms=lambda: NOW_MS) as server:
        assert fetch(server.port, "/readyz") == (200, "collecting\n")
        assert fetch(server.port, "/livez?verbose") == (200, "alive\n")
        assert fetch(server.port, "/else")[0] == 404
        stats.in_flight(1, NOW_MS - 60_000, 0)
        assert fetch(server.port, "/readyz")[0] == 503
    with HealthServer(0, stats, elector=Standby(), now_ms=lambda: NOW_MS) as server:
        assert fetch(server.port, "/readyz") == (200, "standby: other leads\n")


def test_a_port_that_is_taken_is_an_error_with_its_number() -> None:
    with HealthServer(0, flowing()) as server, pytest.raises(HealthError, match=str(server.port)):
        HealthServer(server.port, flowing())


def test_metrics_are_what_prometheus_reads() -> None:
    stats = flowing()
    stats.gap("events")
    stats.retried("pods")
    stats.api_failed("429")
    stats.log_fetched("limited")
    stats.silent_clusters({"west": NOW_MS - 120_000})
    stats.clock_published(NOW_MS - 3_000)
    stats.acknowledged("event", 100.0, NOW_MS)
    with HealthServer(0, stats, elector=Standby(), now_ms=lambda: NOW_MS) as server:
        status, text = fetch(server.port, "/metrics")
    assert status == 200
    values = {
        (sample.name.removeprefix("podcause_collector_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert values["observations_total", "pod"] == 1
    assert values["gaps_total", "events"] == 1
    assert values["gaps_total", "pods"] == 0
    assert values["retries_total", "pods"] == 1
    assert values["api_errors_total", "429"] == 1
    assert values["log_fetches_total", "limited"] == 1
    assert values["watch_lag_seconds", "pods"] == 5
    assert values["bookmark_age_seconds", "pods"] == 5
    assert ("bookmark_age_seconds", "events") not in values
    assert values["silent_cluster_seconds", "west"] == 120
    assert values["clock_age_seconds",] == 3
    assert values["leading",] == 0
    assert values["ready",] == 1
    assert values["publish_latency_seconds_bucket", "0.025"] == 1
    assert values["publish_latency_seconds_bucket", "+Inf"] == 2
    assert values["publish_latency_seconds_count",] == 2
