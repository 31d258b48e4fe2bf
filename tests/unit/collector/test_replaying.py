"""Recordings to streams of observations: order, clocks to the millisecond, and what cannot be read."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from collector.replaying import RecordingError, replay, replay_lines
from collector.settings import CollectorSettings
from schemas.observation import ClockObservation, Observation

HEAD = {"stream": "recording", "format": 1, "cluster": {"name": "east", "uid": "c-1"}}


def _pod(t: str, phase: str = "Running", change: str = "ADDED", name: str = "p") -> dict[str, Any]:
    return {
        "t": t,
        "stream": "pods",
        "type": change,
        "object": {"metadata": {"name": name, "uid": f"u-{name}"}, "status": {"phase": phase}},
    }


def _event(t: str, change: str = "ADDED", count: int = 1, kind: str = "Pod") -> dict[str, Any]:
    body = {
        "metadata": {"name": "e", "uid": "e-1"},
        "involvedObject": {"kind": kind, "name": "p"},
        "reason": "BackOff",
        "count": count,
    }
    return {"t": t, "stream": "events", "type": change, "object": body}


def _log(t: str, text: str | None) -> dict[str, Any]:
    return {
        "t": t,
        "stream": "log",
        "namespace": "n",
        "pod": "p",
        "container": "c",
        "container_id": "x://1",
        "text": text,
        "error": None,
    }


def _end(t: str) -> dict[str, Any]:
    return {"t": t, "stream": "end"}


def _lines(*entries: dict[str, Any]) -> list[bytes]:
    return [json.dumps(entry).encode() + b"\n" for entry in entries]


def _replayed(*recordings: list[dict[str, Any]], settings: CollectorSettings | None = None) -> list[Observation]:
    return list(
        replay_lines([(f"r{number}", _lines(*entries)) for number, entries in enumerate(recordings)], settings=settings)
    )


def _timeline(observations: list[Observation]) -> list[str]:
    """``kind minute:second``, clocks by their own time."""
    return [
        f"{type(one).__name__.removesuffix('Observation').lower()} {one.clock.time if isinstance(one, ClockObservation) else one.observed_at}"[:-1].replace("2026-01-01T00:", "")
        for one in observations
    ]  # fmt: skip


def _at(second: str) -> str:
    return f"2026-01-01T00:{second}Z"


def test_a_clock_every_15_seconds_of_recorded_time_and_the_last_at_the_end() -> None:
    # pod       0:05 |              0:32 |      end 0:50
    # clocks         0:15  0:30           0:45  0:50
    observations = _replayed([HEAD, _pod(_at("00:05")), _pod(_at("00:32"), "Failed"), _end(_at("00:50"))])
    assert _timeline(observations) == [
        "pod 00:05.000", "clock 00:15.000", "clock 00:30.000", "pod 00:32.000", "clock 00:45.000", "clock 00:50.000",
    ]  # fmt: skip
    assert observations[1].id == "c-1/all/2026-01-01T00:00:15.000Z"


@pytest.mark.parametrize(
    ("second", "timeline"),
    [
        ("00:14.999", ["pod 00:01.000", "pod 00:14.999", "clock 00:15.000", "clock 00:20.000"]),
        ("00:15.000", ["pod 00:01.000", "pod 00:15.000", "clock 00:15.000", "clock 00:20.000"]),
        ("00:15.001", ["pod 00:01.000", "clock 00:15.000", "pod 00:15.001", "clock 00:20.000"]),
    ],
)
def test_what_is_observed_at_a_clocks_very_time_comes_before_it(second: str, timeline: list[str]) -> None:
    assert _timeline(_replayed([HEAD, _pod(_at("00:01")), _pod(_at(second), "Failed"), _end(_at("00:20"))])) == timeline


def test_an_end_at_a_clocks_time_gives_one_clock() -> None:
    assert _timeline(_replayed([HEAD, _pod(_at("00:01")), _end(_at("00:15"))])) == ["pod 00:01.000", "clock 00:15.000"]


def test_lines_at_the_same_time_keep_their_order() -> None:
    observations = _replayed([HEAD, _pod(_at("00:15")), _event(_at("00:15")), _pod(_at("00:15"), "Failed"), _end(_at("00:15"))])
    assert _timeline(observations) == ["pod 00:15.000", "event 00:15.000", "pod 00:15.000", "clock 00:15.000"]


def test_time_does_not_go_back() -> None:
    observations = _replayed([HEAD, _pod(_at("00:16")), _event(_at("00:14")), _end(_at("00:20"))])
    assert _timeline(observations) == ["pod 00:16.000", "event 00:16.000", "clock 00:20.000"]


def test_a_day_of_silence_is_clocked_and_a_year_of_it_is_not() -> None:
    end = "2027-01-01T00:00:00.000Z"
    observations = _replayed([HEAD, _pod(_at("00:00")), _end(end)])
    clocks = [one.clock.time for one in observations if isinstance(one, ClockObservation)]
    assert clocks[:2] == ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:15.000Z"]
    assert clocks[-3:] == ["2026-01-02T02:00:00.000Z", "2026-12-31T23:59:45.000Z", end]
    assert len(clocks) == 26 * 240 + 1 + 2


def test_the_interval_of_clocks_is_a_setting() -> None:
    observations = _replayed([HEAD, _pod(_at("00:05")), _end(_at("00:25"))], settings=CollectorSettings(clock_seconds=10))
    assert _timeline(observations) == ["pod 00:05.000", "clock 00:10.000", "clock 00:20.000", "clock 00:25.000"]


def test_files_of_one_cluster_are_merged_under_one_clock() -> None:
    first = [HEAD, _pod(_at("00:01")), _pod(_at("00:20"), "Failed"), _end(_at("00:40"))]
    second = [HEAD, _pod(_at("00:10"), name="q"), _end(_at("00:31"))]
    assert _timeline(_replayed(first, second)) == [
        "pod 00:01.000", "pod 00:10.000", "clock 00:15.000", "pod 00:20.000", "clock 00:30.000", "clock 00:40.000",
    ]  # fmt: skip


def test_files_of_two_clusters_have_a_clock_each() -> None:
    other = {**HEAD, "cluster": {"name": "west", "uid": "c-2"}}
    observations = _replayed([HEAD, _pod(_at("00:01")), _end(_at("00:16"))], [other, _pod(_at("00:02")), _end(_at("00:03"))])
    assert [(one.cluster.name, line) for one, line in zip(observations, _timeline(observations), strict=True)] == [
        ("east", "pod 00:01.000"),
        ("west", "pod 00:02.000"),
        ("east", "clock 00:15.000"),
        ("east", "clock 00:16.000"),
        ("west", "clock 00:03.000"),
    ]


def test_repeats_expiry_and_other_objects_events_are_no_observations_but_raised_counts_are() -> None:
    observations = _replayed([
        HEAD,
        _pod(_at("00:01")),
        _pod(_at("00:02"), change="MODIFIED"),
        _event(_at("00:03")),
        _event(_at("00:04"), "MODIFIED"),
        _event(_at("00:05"), "MODIFIED", count=2),
        _event(_at("00:06"), "DELETED", count=2),
        _event(_at("00:07"), kind="ReplicaSet"),
        _log(_at("00:08"), None),
        _log(_at("00:09"), "bye"),
        {"t": _at("00:10"), "stream": "note", "text": "scaled"},
        {"t": _at("00:10"), "stream": "from-a-later-release"},
        _pod(_at("00:11"), change="DELETED"),
        _end(_at("00:12")),
    ])  # fmt: skip
    assert _timeline(observations) == [
        "pod 00:01.000", "event 00:03.000", "event 00:05.000", "log 00:09.000", "poddeleted 00:11.000", "clock 00:12.000",
    ]  # fmt: skip


def test_a_recording_without_an_end_ends_at_its_last_line_with_a_warning() -> None:
    with structlog.testing.capture_logs() as logs:
        observations = _replayed([HEAD, _pod(_at("00:01"))])
    assert _timeline(observations) == ["pod 00:01.000", "clock 00:01.000"]
    assert logs == [
        {"event": "recording_cut_off", "log_level": "warning", "file": "r0", "taken_as_end": "2026-01-01T00:00:01.000Z"}
    ]


def test_a_name_overrides_the_recordings_and_without_any_the_cluster_is_offline() -> None:
    nameless = {"stream": "recording", "format": 1}
    lines = _lines(nameless, _end(_at("00:01")))
    assert [one.cluster for one in replay_lines([("r", lines)], "mine")][0].name == "mine"  # noqa: RUF015 - the list is the point
    (clock,) = replay_lines([("r", lines)])
    assert (clock.cluster.name, clock.cluster.uid) == ("offline", "offline")


def test_bytes_that_are_no_text_and_lone_surrogates_become_replacement_characters() -> None:
    log = json.dumps(_log(_at("00:01"), "MARK \ud800 \x00")).encode().replace(b"MARK", b"\xff\xfe")
    (observation, _) = replay_lines([("r", [*_lines(HEAD), log, *_lines(_end(_at("00:01")))])])
    assert getattr(observation, "log").text == "\ufffd\ufffd ? \ufffd"  # noqa: B009 - the kind is what is tested above


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "r: the file is empty"),
        ([b"hello\n"], "r: line 1, column 1: not JSON: Expecting value"),
        ([b"[]\n"], "r: line 1: a JSON object is needed, not a list"),
        (_lines(_end(_at("00:01"))), 'r: line 1: field "stream": the first line of a recording says "recording"'),
        (_lines({**HEAD, "format": 2}), 'r: line 1: field "format": this release reads format 1, not 2'),
        (_lines({**HEAD, "cluster": 3}), 'r: line 1: field "cluster": an object with "name" and "uid" is needed, not 3'),
        (_lines({**HEAD, "cluster": {"name": 3}}), 'r: line 1: field "cluster.name": a text of at most 253 characters is needed, not 3'),
        ([*_lines(HEAD), b'{"t":\n'], "r: line 2, column 6: not JSON: Expecting value"),
        ([*_lines(HEAD), b"\n", b'{"t"}'], "r: line 3, column 5: not JSON: Expecting ':' delimiter"),
        (_lines(HEAD, {"stream": "end"}), 'r: line 2: field "t": an RFC 3339 time is needed, not null or nothing'),
        (_lines(HEAD, _end("noon")), "r: line 2: field \"t\": not an RFC 3339 timestamp: 'noon'"),
        (_lines(HEAD, {"t": _at("00:01")}), 'r: line 2: field "stream": a stream\'s name is needed, not null or nothing'),
        (_lines(HEAD, _pod(_at("00:01"), change="BOOKMARK")), "r: line 2: field \"type\": ADDED, MODIFIED or DELETED is needed, not the text 'BOOKMARK'"),
        (_lines(HEAD, {**_pod(_at("00:01")), "object": []}), 'r: line 2: field "object": an object is needed, not a list'),
        (_lines(HEAD, {**_pod(_at("00:01")), "object": {}}), 'r: line 2: field "object": metadata.name: a name is needed'),
        (_lines(HEAD, {**_log(_at("00:01"), None), "pod": None}), 'r: line 2: field "pod": a name is needed, not null or nothing'),
        (_lines(HEAD, {**_log(_at("00:01"), None), "text": 5}), 'r: line 2: field "text": a text or null is needed, not 5'),
        (_lines(HEAD, _end(_at("00:01")), _end(_at("00:02"))), 'r: line 3: field "stream": nothing comes after the line "end"'),
        ([*_lines(HEAD), b"[" * 100_000], None),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(lines: list[bytes], message: str | None) -> None:
    with pytest.raises(RecordingError) as caught:
        list(replay_lines([("r", lines)]))
    assert message is None or str(caught.value) == message


def test_files_are_read_packed_or_plain_and_their_faults_are_named(tmp_path: Path) -> None:
    whole = b"".join(
        _lines(HEAD, *(_pod(_at(f"00:{second:02}"), f"Phase-{second}") for second in range(30)), _end(_at("01:00")))
    )
    plain, packed, cut, damaged = (tmp_path / name for name in ("plain", "packed", "cut", "damaged"))
    plain.write_bytes(whole)
    packed.write_bytes(gzip.compress(whole))
    cut.write_bytes(gzip.compress(whole)[:-20])
    damaged.write_bytes(gzip.compress(whole)[:40] + b"\xff" * 60)
    assert list(replay([plain])) == list(replay([packed]))
    for path, message in [
        (tmp_path / "none", "no such file"),
        (tmp_path, "a folder, not a recording"),
        (cut, "the gzip data end too early: the file is cut off"),
        (damaged, "damaged gzip data"),
    ]:
        with pytest.raises(RecordingError, match=message) as caught:
            list(replay([path]))
        assert str(path) in str(caught.value)
