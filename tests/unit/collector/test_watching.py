"""Watching under drawn timelines: a scripted API server, fake time, no waiting."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from collector.api_errors import ApiError, ApiUnreachableError, ForbiddenError, GoneError, OverloadedError, ServerError
from collector.completeness import Completeness
from collector.stats import CollectorStats
from collector.watch_items import Bookmark, Change, Item, ListEnd, ListStart, Resource, Timing
from collector.watching import Watching

_PODS = Resource("pods", "/api/v1/pods")


class _Clock:
    """Milliseconds that pass only when told; what was waited for is kept."""

    def __init__(self) -> None:
        self.ms = 1_000_000
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.ms += int(seconds * 1000)
        return False


class _Lines:
    def __init__(self, clock: _Clock, steps: list[Any]) -> None:
        self._clock, self._steps = clock, steps

    def __iter__(self) -> Iterator[bytes]:
        for step in self._steps:
            if isinstance(step, int):
                self._clock.ms += step
            elif isinstance(step, ApiError):
                raise step
            else:
                yield json.dumps(step).encode()

    def close(self) -> None:
        pass


class _Server:
    """Answers in the order of its script: a dict is a list's page, a list a watch's lines (numbers: milliseconds that pass)."""

    def __init__(self, clock: _Clock, *script: Any) -> None:
        self._clock = clock
        self.script = list(script)
        self.requests: list[dict[str, str]] = []
        self.watching: Watching | None = None

    def get(self, path: str, params: Mapping[str, str] | None = None, **_: object) -> bytes:  # noqa: ARG002 - the protocol
        answer = self._next(params)
        assert isinstance(answer, dict), f"a list was asked for, the script has {answer}"
        return json.dumps(answer).encode()

    def stream(self, path: str, params: Mapping[str, str] | None = None, **_: object) -> _Lines:  # noqa: ARG002 - the protocol
        answer = self._next(params)
        assert isinstance(answer, list), f"a watch was asked for, the script has {answer}"
        return _Lines(self._clock, answer)

    def _next(self, params: Mapping[str, str] | None) -> Any:
        self.requests.append(dict(params or {}))
        if not self.script:
            assert self.watching is not None
            self.watching.stop()
            return []
        answer = self.script.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer


def _watching(*script: Any, chance: Callable[[], float] = lambda: 1.0) -> tuple[Watching, _Server, _Clock, CollectorStats]:
    clock, stats = _Clock(), CollectorStats()
    server = _Server(clock, *script)
    timing = Timing(wait=clock.wait, now_ms=lambda: clock.ms, monotonic=lambda: clock.ms / 1000, chance=chance)
    watching = Watching(server, _PODS, timing, stats, Completeness(10))
    server.watching = watching
    return watching, server, clock, stats


def _page(version: str, *names: str, next_: str = "") -> dict[str, Any]:
    return {
        "metadata": {"resourceVersion": version, **({"continue": next_} if next_ else {})},
        "items": [_object(name, "1") for name in names],
    }


def _object(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def _line(kind: str, name: str, version: str) -> dict[str, Any]:
    return {"type": kind, "object": _object(name, version)}


_EXPIRED = {
    "type": "ERROR",
    "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"},
}


def _told(items: Iterator[Item]) -> list[str]:
    words = []
    for item in items:
        match item:
            case ListStart(forced=forced, known=known):
                words.append("list" + (" forced" if forced else "") + (" known" if known else ""))
            case ListEnd(resource_version=version):
                words.append(f"end {version}")
            case Bookmark(resource_version=version):
                words.append(f"bookmark {version}")
            case Change(type=kind, body=body):
                words.append(f"{kind} {json.loads(bytes(body))['metadata']['name']}")
    return words


def test_a_list_in_pages_then_a_watch_from_its_version() -> None:
    watching, server, _, _ = _watching(
        _page("7", "a", "b", next_="t"), _page("7", "c"), [_line("ADDED", "d", "8"), _line("BOOKMARK", "", "9"), 5000]
    )
    told = _told(watching.changes())
    assert told == ["list", "LISTED a", "LISTED b", "LISTED c", "end 7", "ADDED d", "bookmark 9"]
    assert [one.get("continue") for one in server.requests[:2]] == [None, "t"]
    assert [one.get("resourceVersion") for one in server.requests[2:]] == ["7", "9"]


def test_a_clean_end_is_resumed_at_once() -> None:
    watching, server, clock, stats = _watching(_page("7"), [_line("ADDED", "a", "8")], [_line("DELETED", "a", "9")])
    assert _told(watching.changes()) == ["list", "end 7", "ADDED a", "DELETED a"]
    assert clock.waits == []
    assert [one["resourceVersion"] for one in server.requests[1:]] == ["7", "8", "9"]
    assert stats.snapshot().resources["pods"].watch_restarts == 2


@pytest.mark.parametrize("gone", [GoneError("410", status=410), [_EXPIRED]], ids=["as a status", "within the stream"])
def test_gone_lists_again_by_force(gone: Any) -> None:
    watching, _, _, stats = _watching(_page("7", "a"), gone, _page("20", "b"), [_line("ADDED", "c", "21")])
    assert _told(watching.changes()) == ["list", "LISTED a", "end 7", "list forced", "LISTED b", "end 20", "ADDED c"]
    assert stats.snapshot().resources["pods"].relists == 1


def test_a_resumed_watch_whose_version_is_gone_lists_by_force() -> None:
    watching, server, _, _ = _watching([_EXPIRED], _page("20", "b"))
    assert _told(watching.changes("3")) == ["list forced", "LISTED b", "end 20"]
    assert server.requests[0]["resourceVersion"] == "3"


def test_what_was_known_is_listed_at_its_version() -> None:
    watching, server, _, _ = _watching(_page("3", "a"), [_line("MODIFIED", "a", "4")])
    assert _told(watching.changes("3", list_known=True)) == ["list known", "LISTED a", "end 3", "MODIFIED a"]
    assert server.requests[0]["resourceVersionMatch"] == "Exact"


def test_what_was_known_may_be_gone() -> None:
    watching, _, _, _ = _watching(GoneError("410", status=410), _page("20", "b"))
    assert _told(watching.changes("3", list_known=True)) == ["list known", "list forced", "LISTED b", "end 20"]


def test_closed_at_once_without_a_word_twice_means_gone() -> None:
    watching, _, _, _ = _watching(_page("7"), [], [], _page("20", "b"))
    assert _told(watching.changes()) == ["list", "end 7", "list forced", "LISTED b", "end 20"]


def test_closed_without_a_word_after_a_while_is_a_clean_end() -> None:
    watching, _, _, _ = _watching(_page("7"), [2000], [2000], [2000], [_line("ADDED", "a", "8")])
    assert _told(watching.changes()) == ["list", "end 7", "ADDED a"]


def test_a_continue_token_that_is_gone_begins_the_list_again() -> None:
    watching, _, _, _ = _watching(_page("7", "a", next_="t"), GoneError("410", status=410), _page("9", "a", "b"))
    assert _told(watching.changes()) == ["list", "LISTED a", "list", "LISTED a", "LISTED b", "end 9"]


def test_retry_after_is_honoured() -> None:
    watching, _, clock, stats = _watching(
        OverloadedError("429", status=429, retry_after_seconds=7), _page("7"), chance=lambda: 0.0
    )
    assert _told(watching.changes())[:2] == ["list", "end 7"]
    assert clock.waits[0] == 7
    assert stats.snapshot().api_errors == {"429": 1}
    assert stats.snapshot().retries == {"pods": 1}


@pytest.mark.parametrize(("chance", "expected"), [(0.0, [0.25, 0.5, 1, 2, 4, 7.5, 7.5]), (1.0, [0.5, 1, 2, 4, 8, 15, 15])])
def test_pauses_double_between_half_and_whole_up_to_a_bound(chance: float, expected: list[float]) -> None:
    failures = [ServerError("503", status=503) for _ in expected]
    watching, _, clock, _ = _watching(*failures, _page("7"), chance=lambda: chance)
    assert _told(watching.changes())[:2] == ["list", "end 7"]
    assert clock.waits[: len(expected)] == expected


def test_a_broken_connection_is_resumed_after_a_pause() -> None:
    watching, _, clock, stats = _watching(
        _page("7"), [_line("ADDED", "a", "8"), ApiUnreachableError("reset")], [_line("ADDED", "b", "9")]
    )
    assert _told(watching.changes()) == ["list", "end 7", "ADDED a", "ADDED b"]
    assert clock.waits == [0.5]
    assert stats.snapshot().api_errors == {"connection": 1}


def test_time_outs_of_watches_differ() -> None:
    for chance, seconds in ((0.0, "240"), (1.0, "360")):
        watching, server, _, _ = _watching(_page("7"), [_line("ADDED", "a", "8")], chance=lambda chance=chance: chance)
        list(watching.changes())
        assert server.requests[1]["timeoutSeconds"] == seconds


def test_a_first_request_that_is_refused_is_raised() -> None:
    watching, _, _, _ = _watching(ForbiddenError("no list on pods", status=403))
    with pytest.raises(ForbiddenError):
        list(watching.changes())


def test_a_rule_that_is_taken_away_later_is_waited_for() -> None:
    watching, _, _, _ = _watching(_page("7"), ForbiddenError("403", status=403), [_line("ADDED", "a", "8")])
    assert _told(watching.changes()) == ["list", "end 7", "ADDED a"]


def test_half_a_list_has_no_end_when_it_is_stopped() -> None:
    stopped = threading.Event()
    watching, _, _, _ = _watching(_page("7", "a", next_="t"), _page("7", "b"))
    told = []
    for item in watching.changes():
        told.append(type(item).__name__)
        watching.stop()
        stopped.set()
    assert "ListEnd" not in told


def test_nothing_is_complete_before_a_list_or_while_the_backlog_comes() -> None:
    completeness = Completeness(10)
    assert completeness.until(100_000) is None
    completeness.known(50_000)
    completeness.waiting(60_000)
    completeness.received(60_010)  # at once: backlog
    completeness.waiting(60_020)
    assert completeness.until(60_030) == 50_000
    completeness.received(60_520)  # the reader had to wait: the backlog is through
    assert completeness.until(60_530) == 50_000  # not handed over yet
    completeness.waiting(60_540)
    assert completeness.until(60_550) == 60_520


def test_a_watch_that_never_pauses_is_complete_up_to_when_the_server_was_asked() -> None:
    lines = [step for version in range(8, 400) for step in (20, _line("MODIFIED", "a", str(version)))]
    watching, server, clock, _ = _watching(_page("7"), lines, _page("300", "a"))
    listed_ms = clock.ms
    changes = (item for item in watching.changes() if isinstance(item, Change))
    complete = {change.resource_version: watching._completeness.until(clock.ms) for change in changes}
    assert server.requests[2] == {"limit": "1"}
    assert complete["300"] == listed_ms  # not handed over yet
    assert complete["301"] == listed_ms + 5_000
    assert clock.ms - listed_ms < 10_000


def test_a_server_whose_version_cannot_be_asked_is_watched_all_the_same() -> None:
    lines = [step for version in range(8, 300) for step in (20, _line("MODIFIED", "a", str(version)))]
    watching, _, clock, _ = _watching(_page("7"), lines, ServerError("GET: 500", status=500))
    began = clock.ms
    assert len([item for item in watching.changes() if isinstance(item, Change)]) == 292
    assert watching._completeness.until(clock.ms) == began


def test_silence_proves_what_is_older_than_a_dead_peer() -> None:
    completeness = Completeness(10)
    completeness.waiting(60_000)
    assert completeness.until(69_999) is None
    assert completeness.until(75_000) == 65_000
    completeness.interrupted()
    assert completeness.until(200_000) == 65_000
