"""What changes of a living cluster mean: what is told, what is not told again, what is kept out, and when a clock may follow."""

import copy
from typing import Any

import pytest

from collector.checkpointing import Checkpoint, Position
from collector.cluster_view import ClusterView
from collector.completeness import Completeness
from collector.logs import LogTargets, TokenBucket
from collector.owner_index import OwnerIndex
from collector.progress import Progress, Watched
from collector.stats import CollectorStats
from collector.translating import Translator
from collector.watch_items import Bookmark, Change, ListEnd, ListStart
from schemas.observation import Cluster, Container, ContainerState, Pod, Terminated, Waiting, Workload

_AT = "2026-11-22T16:00:00.000Z"
_CLUSTER = Cluster(name="one", uid="uid-1")


def _raw(name: str = "web-1", version: str = "1", uid: str = "u1", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "team", "uid": uid, "resourceVersion": version, **metadata},
        "status": {"phase": phase},
    }


def _event(uid: str = "e1", count: int = 1, pod: str = "web-1", **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "e", "namespace": "team", "uid": uid, "resourceVersion": str(count)},
        "involvedObject": {"kind": "Pod", "namespace": "team", "name": pod},
        "reason": "BackOff",
        "count": count,
        **more,
    }


def _view(**settings: Any) -> ClusterView:
    return ClusterView(Translator(_CLUSTER), **settings)


def _news(view: ClusterView, kind: str, raw: dict[str, Any], **more: Any) -> bool:
    found = view.pod("pods", kind, raw, _AT, **more)
    return found is not None and found[1]


def test_a_pod_is_told_when_its_projection_changes() -> None:
    view = _view()
    assert [
        _news(view, "ADDED", _raw()),
        _news(view, "MODIFIED", _raw(version="2")),
        _news(view, "MODIFIED", _raw(version="3", phase="Failed")),
    ] == [
        True,
        False,
        True,
    ]


def test_a_relist_tells_only_what_changed_and_who_is_gone() -> None:
    view = _view()
    for raw in (_raw(), _raw("web-2", uid="u2"), _raw("web-3", uid="u3")):
        view.pod("pods", "ADDED", raw, _AT)
    view.list_started("pods")
    assert not _news(view, "LISTED", _raw())
    assert _news(view, "LISTED", _raw("web-2", "5", "u2", "Failed"))
    gone = view.pods_listed("pods", "9", _AT)
    assert [(one.id, one.inferred, one.pod.phase) for one in gone] == [("uid-1/u3/9", True, "Running")]
    assert {uid for _, _, uid in view.known_pods()} == {"u1", "u2"}


def test_a_list_begun_again_infers_from_the_last_one_alone() -> None:
    view = _view()
    for raw in (_raw(), _raw("web-2", uid="u2")):
        view.pod("pods", "ADDED", raw, _AT)
    view.list_started("pods")
    view.pod("pods", "LISTED", _raw(), _AT)
    view.list_started("pods")
    view.pod("pods", "LISTED", _raw("web-2", uid="u2"), _AT)
    assert [one.pod.uid for one in view.pods_listed("pods", "9", _AT)] == ["u1"]


def test_the_same_name_with_another_uid_is_another_pod() -> None:
    view = _view()
    view.pod("pods", "ADDED", _raw(), _AT)
    view.list_started("pods")
    assert _news(view, "LISTED", _raw(uid="u9"))
    assert [one.pod.uid for one in view.pods_listed("pods", "9", _AT)] == ["u1"]
    assert view.knows("team", "web-1")


def test_a_pod_of_the_last_run_is_gone_when_the_first_list_lacks_it() -> None:
    view = _view()
    view.remember("pods", [("team", "web-1", "u1")])
    view.list_started("pods")
    assert [(one.id, one.pod) for one in view.pods_listed("pods", "9", _AT)] == [
        ("uid-1/u1/9", Pod(namespace="team", name="web-1", uid="u1"))
    ]


def test_a_list_of_what_was_known_tells_nothing_and_infers_nothing() -> None:
    view = _view()
    view.remember("pods", [("team", "later", "u7")])
    view.list_started("pods")
    assert not _news(view, "LISTED", _raw(), known=True)
    assert view.pods_listed("pods", "3", _AT, known=True) == []
    assert {uid for _, _, uid in view.known_pods()} == {"u1", "u7"}
    assert _news(view, "MODIFIED", _raw(version="4", phase="Failed"))


def test_a_raised_count_is_told_and_an_expiry_is_not() -> None:
    view = _view()
    told = [
        view.event("events", kind, _event(count=count), _AT) is not None
        for kind, count in (("ADDED", 1), ("MODIFIED", 2), ("LISTED", 2), ("DELETED", 2), ("ADDED", 2))
    ]
    assert told == [True, True, False, False, True]


def test_an_ignored_pod_leaves_no_trace() -> None:
    view = _view()
    ignored = _raw(annotations={"podcause.io/ignore": "true"})
    assert view.pod("pods", "ADDED", ignored, _AT) is None
    assert view.event("events", "ADDED", _event(), _AT) is None
    assert view.pod_deleted(ignored, _AT) is None
    assert view.event("events", "MODIFIED", _event(count=2), _AT) is None
    assert list(view.known_pods()) == []


def test_an_excluded_namespace_leaves_no_trace() -> None:
    view = _view(excluded_namespaces=["team"])
    assert view.pod("pods", "ADDED", _raw(), _AT) is None
    assert view.event("events", "ADDED", _event(), _AT) is None


@pytest.mark.parametrize(("written", "told"), [("15:49:59", False), ("15:50:00", True)])
def test_a_listed_event_that_the_last_run_must_have_told_is_not_told_again(written: str, *, told: bool) -> None:
    view = _view(resumed_at_ms=1_795_363_200_000)  # 2026-11-22T16:00:00Z
    event = _event(lastTimestamp=f"2026-11-22T{written}Z")
    assert (view.event("events", "LISTED", copy.deepcopy(event), _AT) is not None) is told
    assert view.event("events", "MODIFIED", _event(count=2, lastTimestamp="2026-11-22T15:00:00Z"), _AT) is not None


def _progress(found: Checkpoint | None = None) -> tuple[Progress, dict[str, Completeness]]:
    known = {name: Completeness(10) for name in ("pods", "events")}
    watched = {name: Watched(name, one) for name, one in known.items()}
    return Progress(watched, found or Checkpoint(), Translator(_CLUSTER), CollectorStats()), known


def test_a_clock_waits_for_both_watches_and_for_what_came_before() -> None:
    progress, known = _progress()
    known["pods"].known(50_000)
    assert not progress.make_clock_due(60_000, 4)
    known["events"].known(40_000)
    assert progress.make_clock_due(60_000, 4)
    assert progress.clock(3) is None
    clock = progress.clock(4)
    assert clock is not None
    assert clock.clock.time == "1970-01-01T00:00:40.000Z"
    assert not progress.make_clock_due(61_000, 4)  # nothing new is complete


def _position(time: str) -> Checkpoint:
    return Checkpoint({"pods": Position(cluster=_CLUSTER, resource="pods", resource_version="3", time=time)})


def test_a_forced_list_tells_its_gap_once() -> None:
    progress, _ = _progress(_position("1970-01-01T00:00:30.000Z"))
    gap = progress.list_started("pods", ListStart(90_000, forced=True))
    assert gap is not None
    assert (gap.id, gap.gap.resource, gap.gap.from_, gap.gap.to) == (
        "uid-1/pods/1970-01-01T00:00:30.000Z",
        "pods",
        "1970-01-01T00:00:30.000Z",
        "1970-01-01T00:01:30.000Z",
    )
    assert progress.list_started("pods", ListStart(91_000, forced=True)) is None


def test_a_first_list_is_no_gap() -> None:
    progress, _ = _progress()
    assert progress.list_started("pods", ListStart(90_000)) is None


def test_in_the_middle_of_a_list_the_resume_point_stays() -> None:
    progress, _ = _progress(_position("1970-01-01T00:00:30.000Z"))
    progress.list_started("pods", ListStart(90_000, forced=True))
    progress.reached("pods", Change("LISTED", b"{}", "8", 90_000))
    assert [one.resource_version for one in progress.positions()] == ["3"]
    progress.reached("pods", ListEnd("9", 90_000))
    progress.reached("pods", Bookmark("11", 95_000))
    assert [(one.resource_version, one.time) for one in progress.positions()] == [("11", "1970-01-01T00:01:30.000Z")]


def _crashing(container_id: str, *, restarted: bool, exit_code: int = 1) -> Pod:
    ended = ContainerState(terminated=Terminated(exit_code=exit_code, container_id=container_id))
    waiting = ContainerState(waiting=Waiting(reason="CrashLoopBackOff"))
    return Pod(
        namespace="team",
        name="web-1",
        uid="u1",
        restart_policy="Always",
        containers=(Container(name="app", state=waiting if restarted else ended, last_state=ended if restarted else None),),
    )


def test_each_termination_is_fetched_once() -> None:
    targets = LogTargets(CollectorStats())
    targets.consider(_crashing("c1", restarted=True), 0)
    target = targets.take(0)
    assert target is not None
    assert (target.container_id, target.previous) == ("c1", True)
    targets.consider(_crashing("c1", restarted=True), 0)
    assert targets.settled(target)
    targets.consider(_crashing("c1", restarted=True), 0)
    assert targets.take(0) is None


def test_an_answer_that_came_after_the_restart_is_asked_for_again() -> None:
    targets = LogTargets(CollectorStats())
    targets.consider(_crashing("c1", restarted=False), 0)
    target = targets.take(0)
    assert target is not None
    assert not target.previous
    targets.consider(_crashing("c1", restarted=True), 0)
    assert not targets.settled(target)
    again = targets.take(0)
    assert again is not None
    assert again.previous
    assert targets.settled(again)


def test_a_newer_termination_replaces_one_that_waits() -> None:
    stats = CollectorStats()
    targets = LogTargets(stats)
    targets.consider(_crashing("c1", restarted=True), 0)
    targets.consider(_crashing("c2", restarted=True), 0)
    target = targets.take(0)
    assert target is not None
    assert target.container_id == "c2"
    assert targets.take(0) is None
    assert stats.snapshot().log_fetches == {"limited": 1}


def test_the_rate_allows_a_burst_and_then_so_many_a_second() -> None:
    bucket = TokenBucket(2.0, 3)
    assert [bucket.wait_seconds(100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert bucket.wait_seconds(100.5) == 0.0


def test_the_owner_of_the_owner_is_known_from_its_metadata() -> None:
    index = OwnerIndex()
    replica_set = Workload(kind="ReplicaSet", name="web-abc", uid="rs1")
    pod = Pod(namespace="team", name="web-1", controller=replica_set, owner=replica_set)
    assert index.owner(pod) == replica_set
    body = b'{"metadata":{"name":"web-abc","uid":"rs1","ownerReferences":[{"kind":"Deployment","name":"web","uid":"d1","apiVersion":"apps/v1","controller":true}]}}'
    index.take("replicasets", Change("ADDED", body, "1", 0))
    assert index.owner(pod) == Workload(kind="Deployment", name="web", uid="d1", api_version="apps/v1")
