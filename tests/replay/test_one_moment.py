"""What a List is and is not: one moment, of pods that are there, however little is told of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from podcause.commands.diagnose import command

NOW = "2026-01-01T12:00:00Z"


def at(minutes: float) -> str:
    hours, rest = divmod(12 * 60 - minutes, 60)
    return f"2026-01-01T{int(hours):02}:{int(rest):02}:{round(rest % 1 * 60):02}Z"


def pod(name: str, uid: str | None = "new", created: float = 60, **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": at(created)}
    spec = {"restartPolicy": "Always", "nodeName": "a", "containers": [{"name": "app", "image": "shop/app:1"}]}
    return {"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running", **status}}


def container(restarts: int, started: float, lived: float | None = None, *, ready: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": "app",
        "ready": ready,
        "restartCount": restarts,
        "state": {"running": {"startedAt": at(started)}},
    }
    if lived is not None:
        ended = {"exitCode": 1, "reason": "Error", "startedAt": at(started + lived), "finishedAt": at(started)}
        body["lastState"] = {"terminated": ended}
    return body


def event(name: str, reason: str, message: str, minutes: float, *, uid: str | None = "new", count: int = 5) -> dict[str, Any]:
    about = {"kind": "Pod", "namespace": "shop", "name": name, "uid": uid}
    times = {"firstTimestamp": at(minutes + 5), "lastTimestamp": at(minutes)}
    return {"kind": "Event", "metadata": {"name": f"{name}.{minutes}"}, "involvedObject": about, "reason": reason, "message": message, "count": count, **times}  # fmt: skip


def diagnosed(tmp_path: Path, *items: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"kind": "List", "items": list(items)}))
    result = CliRunner().invoke(command, [str(path), "--now", NOW, "--output", "jsonl"])
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    return [
        (record["k8s"]["pod"]["name"], record["k8s"].get("container", {}).get("name"), record["diagnosis"]["cause"]["id"])
        for record in records
    ]


def test_an_older_pod_of_the_same_name_is_over(tmp_path: Path) -> None:
    well = pod("db-0", containerStatuses=[container(0, 4)])
    assert diagnosed(tmp_path, well, event("db-0", "BackOff", "Back-off restarting failed container", 5, uid="old")) == []


def test_a_pod_that_is_not_in_the_list_is_gone(tmp_path: Path) -> None:
    other = pod("other", containerStatuses=[container(0, 30)])
    assert diagnosed(tmp_path, other, event("gone", "FailedScheduling", "0/1 nodes are available", 5)) == []


def test_events_alone_are_judged_alone(tmp_path: Path) -> None:
    alone = event("gone", "FailedScheduling", "0/1 nodes are available", 5)
    assert diagnosed(tmp_path, alone) == [("gone", None, "unschedulable")]


@pytest.mark.parametrize(("created", "restarts", "lived"), [(120, 10, 11), (30, 3, 9), (60, 6, 9)])
def test_a_slow_loop_is_a_loop(tmp_path: Path, created: float, restarts: int, lived: float) -> None:
    slow = pod("slow", created=created, containerStatuses=[container(restarts, 0.5, lived)])
    assert diagnosed(tmp_path, slow) == [("slow", "app", "app_error_exit")]


def test_a_restart_a_week_is_none(tmp_path: Path) -> None:
    rare = pod("rare", created=700, containerStatuses=[container(1, 0.5, 600)])
    assert diagnosed(tmp_path, rare) == []


def test_an_event_without_a_field_path_is_the_one_container_s(tmp_path: Path) -> None:
    waiting = {"name": "app", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}}
    pending = pod("web", created=5, phase="Pending", containerStatuses=[waiting])
    assert diagnosed(tmp_path, pending, event("web", "Failed", 'Error: secret "db" not found', 1)) == [
        ("web", "app", "config_missing")
    ]


@pytest.mark.parametrize(("minutes", "causes"), [(30, [("old", None, "evicted_resource_pressure")]), (240, [])])
def test_a_pod_that_was_evicted_long_ago_is_over(tmp_path: Path, minutes: float, causes: list[tuple[str, None, str]]) -> None:
    evicted = pod("old", created=minutes + 5, phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    ended = {"exitCode": 137, "reason": "Error", "startedAt": at(minutes + 4), "finishedAt": at(minutes)}
    evicted["status"]["containerStatuses"] = [
        {"name": "app", "restartCount": 0, "ready": False, "state": {"terminated": ended}}
    ]
    assert diagnosed(tmp_path, evicted) == causes


def test_an_error_of_the_api_server_is_no_healthy_cluster(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text(json.dumps({"kind": "Status", "status": "Failure", "message": "pods is forbidden", "code": 403}))
    result = CliRunner().invoke(command, [str(path)])
    assert result.exit_code == 2
    assert "pods is forbidden" in result.stderr
