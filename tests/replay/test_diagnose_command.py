"""`podcause diagnose` as people run it: the shipped recordings, objects as kubectl prints them, and input that cannot be read."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_RECORDINGS = Path(__file__).parents[2] / "podcause" / "data" / "recordings"
_SILENT = ("healthy", "rolling-update", "scale-down")
_NOW = "2026-01-01T12:00:00Z"


def _podcause(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "podcause", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


def _records(*arguments: str | Path, stdin: bytes = b"") -> list[dict[str, Any]]:
    done = _podcause("diagnose", *arguments, "--output", "jsonl", stdin=stdin)
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _episodes(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    episodes: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        episodes.setdefault(record["diagnosis"]["id"], []).append(record)
    return episodes


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ("seed-exit-1", {("team-01", "Pod", "crashloop-1", "im-crashing", "container_restarts", "app_error_exit", None)}),
        (
            "seed-exit-0-and-bad-liveness",
            {
                ("team-02", "Pod", "crashloop-2", "im-crashing", "container_restarts", "exits_zero", None),
                ("team-02", "Pod", "crashloop-2", "good-container", "container_restarts", "liveness_probe_misconfigured", None),
            },
        ),
        ("oom-python", {("team-06", "Deployment", "cache", "cache", "container_restarts", "oom_killed", None)}),
        ("image-not-found", {("team-12", "Deployment", "web", "web", "image_pull", "image_not_found", None)}),
        ("crash-then-recovers", {("team-49", "Pod", "phoenix", "app", "container_restarts", "app_error_exit", "recovered")}),
        *((recording, set()) for recording in _SILENT),
    ],
)
def test_a_shipped_recording_is_diagnosed_as_it_was(recording: str, expected: set[tuple[str | None, ...]]) -> None:
    episodes = _episodes(_records(_RECORDINGS / f"{recording}.jsonl.gz"))
    last = [revisions[-1] for revisions in episodes.values()]
    assert len(last) == len(expected)
    assert {
        (
            record["k8s"]["namespace"]["name"],
            record["k8s"]["workload"]["kind"],
            record["k8s"]["workload"]["name"],
            record["k8s"]["container"]["name"],
            record["diagnosis"]["problem"],
            record["diagnosis"]["cause"]["id"],
            record["diagnosis"].get("resolution"),
        )
        for record in last
    } == expected


def test_every_shipped_recording_has_its_expectation_here() -> None:
    shipped = {path.name.removesuffix(".jsonl.gz") for path in _RECORDINGS.glob("*.jsonl.gz")}
    diagnosed = {"seed-exit-1", "seed-exit-0-and-bad-liveness", "oom-python", "image-not-found", "crash-then-recovers"}
    assert shipped == diagnosed | set(_SILENT)


def test_revisions_count_from_one_and_begin_with_opened() -> None:
    for revisions in _episodes(_records(*sorted(_RECORDINGS.glob("*.jsonl.gz")))).values():
        assert [one["diagnosis"]["revision"] for one in revisions] == list(range(1, len(revisions) + 1))
        assert revisions[0]["diagnosis"]["state"] == "opened"
        assert "opened" not in {one["diagnosis"]["state"] for one in revisions[1:]}
        assert "resolved" not in {one["diagnosis"]["state"] for one in revisions[:-1]}


def test_recordings_of_one_cluster_together_say_what_each_says_alone() -> None:
    paths = sorted(_RECORDINGS.glob("*.jsonl.gz"))
    together = _episodes(_records(*paths))
    alone = _episodes([record for path in paths for record in _records(path)])
    assert together == alone


def test_stdin_and_file_packed_and_plain_say_the_same() -> None:
    path = _RECORDINGS / "seed-exit-1.jsonl.gz"
    expected = _records(path)
    assert _records("-", stdin=path.read_bytes()) == expected
    assert _records("-", stdin=gzip.decompress(path.read_bytes())) == expected


def test_a_cluster_can_be_named() -> None:
    records = _records(_RECORDINGS / "seed-exit-1.jsonl.gz", "--cluster", "prod-eu")
    assert {record["k8s"]["cluster"]["name"] for record in records} == {"prod-eu"}


def test_a_recording_can_be_looked_at_as_it_stood_at_a_time() -> None:
    path = _RECORDINGS / "crash-then-recovers.jsonl.gz"
    early = _records(path, "--now", "2026-11-22T16:30:00Z")
    assert early == [record for record in _records(path) if record["@timestamp"] <= "2026-11-22T16:30:00.000Z"]
    assert [record["diagnosis"]["state"] for record in early][-1] != "resolved"


def test_silence_is_said_with_what_was_read() -> None:
    done = _podcause("diagnose", _RECORDINGS / "healthy.jsonl.gz")
    assert (done.returncode, done.stdout) == (0, b"no diagnosis: 2 pods, 8 events read\n")


def test_jsonl_of_nothing_is_nothing() -> None:
    assert _records(_RECORDINGS / "healthy.jsonl.gz") == []


def test_without_a_terminal_the_table_is_plain_lines() -> None:
    done = _podcause("diagnose", _RECORDINGS / "oom-python.jsonl.gz")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert lines[0].split()[1:] == [
        "updated", "error", "team-06", "deployment/cache", "pod/cache-5d5db5b9b8-stv8z", "cache", "oom_killed", "0.97", "x8",
    ]  # fmt: skip
    assert all(line.startswith("    ") for line in lines[1:])
    assert not any(line.startswith("    evidence: ") for line in lines)


def test_evidence_is_shown_on_demand() -> None:
    lines = _podcause("diagnose", "--evidence", _RECORDINGS / "oom-python.jsonl.gz").stdout.decode().splitlines()
    assert any(line.startswith("    evidence: ") and "OOMKilled" in line for line in lines)


def _list(*items: dict[str, Any]) -> bytes:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}).encode()


def _crashing_pod(**metadata: str) -> dict[str, Any]:
    terminated = {"exitCode": 1, "reason": "Error", "startedAt": "2026-01-01T11:57:00Z", "finishedAt": "2026-01-01T11:57:02Z"}
    status = {
        "name": "app",
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": terminated},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-0", **metadata},
        "spec": {"containers": [{"name": "app"}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


def _said(records: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (record["k8s"]["namespace"]["name"], record["k8s"]["pod"]["name"], record["diagnosis"]["state"], record["diagnosis"]["cause"]["id"])
        for record in records
    ]  # fmt: skip


def test_a_list_is_one_moment_and_the_cluster_is_called_offline() -> None:
    records = _records("-", "--now", _NOW, stdin=_list(_crashing_pod(namespace="shop", uid="u-1")))
    assert _said(records) == [("shop", "web-0", "opened", "app_error_exit")]
    assert records[0]["k8s"]["cluster"] == {"name": "offline", "uid": "offline"}
    assert records[0]["@timestamp"] == "2026-01-01T12:00:00.000Z"


def test_the_moment_is_the_newest_time_in_the_list() -> None:
    records = _records("-", stdin=_list(_crashing_pod(creationTimestamp="2026-01-01T11:58:00Z")))
    assert [record["@timestamp"] for record in records] == ["2026-01-01T11:58:00.000Z"]


def test_only_names_are_certain() -> None:
    event = {
        "kind": "Event",
        "reason": "BackOff",
        "type": "Warning",
        "message": "Back-off restarting failed container app in pod web-0_shop(u-1)",
        "count": 12,
        "involvedObject": {"kind": "Pod", "name": "web-0"},
    }
    assert _said(_records("-", "--now", _NOW, stdin=_list(event, _crashing_pod()))) == [
        ("default", "web-0", "opened", "app_error_exit")
    ]
    assert _records("-", "--now", _NOW, stdin=_list({"kind": "Pod", "metadata": {"name": "bare"}})) == []


def test_other_kinds_in_a_list_are_passed_over() -> None:
    others = [
        {"kind": "Deployment", "metadata": {"name": "web"}},
        {"kind": "Event", "involvedObject": {"kind": "Node", "name": "node-a"}, "reason": "NodeNotReady"},
    ]
    done = _podcause("diagnose", "-", stdin=_list(*others))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"no diagnosis: 0 pods, 0 events read\n", b"")


_HEADER = b'{"stream":"recording","format":1,"cluster":{"name":"c","uid":"u"}}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: empty: no JSON in it"),
        (b"kind: List\n", "line 1: not JSON: Expecting value (column 1)"),
        (b'{"kind":"List","items":[{"kind":"Pod","metadata":{}}]}', "items[0].metadata.name: missing"),
        (b'{"kind":"List",\n"items":"none"}', "items: expected a list"),
        (b'\n\n{"a":\xff}', "line 3: byte 7 of the file is not UTF-8"),
        (gzip.compress(b'{"kind":"List","items":[]}')[:-4], "line 1: the gzip data end too early: the file is cut off"),
        (gzip.compress(_HEADER)[:-4], "line 2: the gzip data end too early: the file is cut off"),
        (_HEADER + b"nonsense\n", "line 2, column 1: not JSON: Expecting value"),
        (
            _HEADER + b'{"stream":"pods","type":"ADDED","object":{}}\n',
            'line 2: field "t": an RFC 3339 time is needed, not null or nothing',
        ),
        (
            b'{"t":"2026-01-01T00:00:00Z","stream":"pods"}\n',
            'line 1: field "stream": the first line of a recording says "recording"',
        ),
    ],
)
def test_what_cannot_be_read_ends_with_2_and_says_where(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_bytes(content)
    for arguments in ((), ("--output", "jsonl")):
        done = _podcause("diagnose", path, *arguments)
        assert (done.returncode, done.stderr.decode()) == (2, f"podcause diagnose: {path}: {message}\n")


def test_a_file_that_is_not_there_is_named() -> None:
    done = _podcause("diagnose", "/nowhere/cases.json")
    assert (done.returncode, done.stderr) == (2, b"podcause diagnose: /nowhere/cases.json: no such file\n")


def test_a_recording_and_objects_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_bytes(_list())
    done = _podcause("diagnose", tmp_path / "list.json", _RECORDINGS / "healthy.jsonl.gz")
    assert done.returncode == 2
    assert done.stderr.decode().endswith("healthy.jsonl.gz: a recording, beside objects of one moment: diagnose them apart\n")


def test_an_unknown_now_ends_with_2_and_says_how_to_write_it() -> None:
    done = _podcause("diagnose", "-", "--now", "yesterday", stdin=_list())
    assert done.returncode == 2
    assert "not an RFC 3339 timestamp: 'yesterday'; write for example 2026-01-01T12:00:00Z" in done.stderr.decode()


def test_a_reader_that_goes_away_is_no_error_to_talk_about() -> None:
    command = [sys.executable, "-m", "podcause", "diagnose", "--output", "jsonl", *map(str, _RECORDINGS.glob("*.jsonl.gz"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(60)
