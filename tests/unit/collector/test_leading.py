import json
import threading
from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.api_errors import ApiError, ApiUnreachableError, ConflictError, ForbiddenError, NotFoundError
from collector.leading import LeaseElector
from collector.lease import Election, LeaseError, LeaseRecord, LeaseTimes, lease_body, lease_record

TIMES = LeaseTimes(lease_seconds=10, renew_deadline_seconds=7, retry_seconds=2)
STAMP = "2026-01-01T00:00:00.000000Z"


class Server:
    """The API server's part: one Lease, optimistic concurrency, and what tests do to it."""

    def __init__(self) -> None:
        self.record: LeaseRecord | None = None
        self.version = 0
        self.fail: ApiError | None = None
        self.lose_answers = False
        self.requests: list[str] = []
        self._lock = threading.Lock()

    def write(self, record: LeaseRecord) -> LeaseRecord:
        current = None if self.record is None else self.record.resource_version
        if record.resource_version != current:
            raise ConflictError("written by another", status=409)
        self.version += 1
        self.record = LeaseRecord(
            record.holder, record.lease_seconds, record.acquire_time, record.renew_time, record.transitions, str(self.version)
        )
        return self.record

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        read_timeout_seconds: float = 60.0,
    ) -> bytes:
        del path, params, read_timeout_seconds
        with self._lock:
            self.requests.append(method)
            if self.fail is not None:
                raise self.fail
            if method == "GET":
                if self.record is None:
                    raise NotFoundError("no lease", status=404)
                return self._answer(self.record)
            assert body is not None
            content = json.loads(body)
            content["metadata"].setdefault("resourceVersion", "none")
            record = lease_record(json.dumps(content).encode())
            if record.resource_version == "none":
                record = LeaseRecord(record.holder, record.lease_seconds, STAMP, STAMP, record.transitions)
            answer = self._answer(self.write(record))
            if self.lose_answers:
                raise ApiUnreachableError("the answer was lost")
            return answer

    @staticmethod
    def _answer(record: LeaseRecord) -> bytes:
        return lease_body("ns", "name", record)


def attempt(one: Election, server: Server, now: float) -> bool:
    one.observe(server.record, now)
    proposal = one.proposal(now, f"{now}")
    if proposal is not None:
        one.written(server.write(proposal), now, now)
    return one.leading(now)


def test_the_first_candidate_creates_the_lease_and_leads_until_its_deadline() -> None:
    server, one = Server(), Election("one", TIMES)
    assert one.must_read()
    assert attempt(one, server, 100.0)
    assert not one.must_read()
    assert one.leading(106.9)
    assert not one.leading(107.0)


def test_the_deadline_counts_from_when_the_renewal_was_sent_not_from_its_answer() -> None:
    server, one = Server(), Election("one", TIMES)
    one.observe(None, 0.0)
    proposal = one.proposal(0.0, STAMP)
    assert proposal is not None
    one.written(server.write(proposal), sent_at=0.0, now=3.0)
    assert one.leading(6.9)
    assert not one.leading(7.1)


def test_a_standby_respects_a_lease_until_it_has_not_changed_for_its_whole_length() -> None:
    server, one, two = Server(), Election("one", TIMES), Election("two", TIMES)
    attempt(one, server, 0.0)
    assert not attempt(two, server, 5.0)
    assert not attempt(two, server, 14.9)
    assert two.holder == "one"
    assert attempt(two, server, 15.0)
    assert server.record is not None
    assert server.record.transitions == 1


def test_the_times_written_in_the_lease_are_never_believed() -> None:
    server, two = Server(), Election("two", TIMES)
    server.version, server.record = 7, LeaseRecord("one", 10, "1999-01-01T00:00:00Z", "1999-01-01T00:00:00Z", 3, "7")
    assert not attempt(two, server, 0.0)
    assert attempt(two, server, 10.0)


def test_another_holders_own_length_of_lease_is_respected() -> None:
    server, two = Server(), Election("two", TIMES)
    server.version, server.record = 7, LeaseRecord("one", 60, STAMP, STAMP, 3, "7")
    attempt(two, server, 0.0)
    assert not attempt(two, server, 59.0)
    assert attempt(two, server, 60.0)


def test_a_write_by_another_that_renews_nothing_does_not_prolong_the_lease() -> None:
    server, two = Server(), Election("two", TIMES)
    server.version, server.record = 1, LeaseRecord("one", 10, STAMP, STAMP, 0, "1")
    attempt(two, server, 0.0)
    server.version, server.record = 2, LeaseRecord("one", 10, STAMP, STAMP, 0, "2")
    assert not attempt(two, server, 9.0)
    assert attempt(two, server, 10.0)


def test_a_released_lease_is_taken_at_once() -> None:
    server, one, two = Server(), Election("one", TIMES), Election("two", TIMES)
    attempt(one, server, 0.0)
    attempt(two, server, 0.5)
    released = one.release(STAMP)
    assert released is not None
    assert not one.leading(0.6)
    server.write(released)
    assert attempt(two, server, 0.7)


def test_what_is_not_ours_is_not_released() -> None:
    server, one, two = Server(), Election("one", TIMES), Election("two", TIMES)
    attempt(one, server, 0.0)
    attempt(two, server, 0.0)
    assert two.release(STAMP) is None
    assert Election("three", TIMES).release(STAMP) is None


def test_a_leader_that_sees_another_holder_stops_at_once() -> None:
    server, one = Server(), Election("one", TIMES)
    attempt(one, server, 0.0)
    one.observe(LeaseRecord("two", 10, STAMP, STAMP, 1, "9"), 1.0)
    assert not one.leading(1.0)


def test_a_leader_whose_lease_was_deleted_stops_and_may_begin_anew() -> None:
    server, one = Server(), Election("one", TIMES)
    attempt(one, server, 0.0)
    one.observe(None, 1.0)
    assert not one.leading(1.0)
    server.record = None
    assert attempt(one, server, 1.0)


def test_a_standby_looks_again_exactly_when_the_lease_is_over() -> None:
    server, one, two = Server(), Election("one", TIMES), Election("two", TIMES)
    attempt(one, server, 0.0)
    attempt(two, server, 0.0)
    assert two.next_attempt_seconds(0.0, 1.0) == pytest.approx(2.4)
    assert two.next_attempt_seconds(9.5, 1.0) == pytest.approx(0.5)
    assert one.next_attempt_seconds(0.0, 1.0) == 2.0


def test_the_defaults_take_over_within_15_seconds_of_a_kill() -> None:
    times = LeaseTimes()
    assert times.lease_seconds + 1.2 * times.retry_seconds < 14


@pytest.mark.parametrize("times", [(10, 10, 2), (10, 7, 6), (10, 7, 0), (7, 10, 2)])
def test_times_that_could_leave_two_leaders_are_refused(times: tuple[int, float, float]) -> None:
    with pytest.raises(LeaseError, match="must be longer"):
        LeaseTimes(*times)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0.01, 4.0), st.sampled_from(["ok", "cut", "lost", "slow"])), max_size=120),
    st.tuples(*[st.floats(-1e6, 1e6)] * 3),
)
def test_never_two_leaders_whatever_fails_and_whatever_their_clocks_say(
    steps: list[tuple[int, float, str]], skews: tuple[float, float, float]
) -> None:
    """Three candidates whose clocks differ by any amount; requests fail, or are done and not answered, or answered late."""
    server, candidates, now = Server(), [Election(name, TIMES) for name in ("one", "two", "three")], 0.0
    for number, passed, fate in steps:
        now += passed
        one, skew = candidates[number], skews[number]
        if fate != "cut":
            one.observe(server.record, now + skew)
            proposal = one.proposal(now + skew, f"{now}")
            if proposal is not None:
                sent = now
                if fate == "slow":
                    now += passed
                written = server.write(proposal)
                if fate == "lost":
                    one.unsettled()
                else:
                    one.written(written, sent + skew, now + skew)
        assert sum(each.leading(now + own) for each, own in zip(candidates, skews, strict=True)) <= 1


def test_a_body_without_a_version_is_no_lease() -> None:
    for body in (b"{}", b"no json", b'{"metadata":{}}', b"[]"):
        with pytest.raises(LeaseError):
            lease_record(body)


FAST = LeaseTimes(lease_seconds=1, renew_deadline_seconds=0.6, retry_seconds=0.05)


def test_an_elector_leads_tells_so_and_releases_the_lease_at_the_end() -> None:
    server, told = Server(), []
    with LeaseElector(server, "ns", "name", identity="one", times=FAST, on_change=told.append) as one:
        assert one.wait_until_leading(10)
        assert one.leading()
        assert one.terms == 1
    assert told == [True, False]
    assert server.record is not None
    assert server.record.holder == ""
    assert not one.leading()


def test_an_elector_that_cannot_renew_stops_in_time_and_leads_again_when_it_can() -> None:
    server, told = Server(), []
    with LeaseElector(server, "ns", "name", identity="one", times=FAST, on_change=told.append) as one:
        assert one.wait_until_leading(10)
        server.fail = ApiUnreachableError("cut off")
        assert not one.wait_while_leading(10)
        assert not one.leading()
        server.fail = None
        assert one.wait_until_leading(10)
        assert one.terms == 2
    assert told == [True, False, True, False]


def test_an_elector_whose_answers_are_lost_does_not_lead() -> None:
    server = Server()
    server.lose_answers = True
    with LeaseElector(server, "ns", "name", identity="one", times=FAST) as one:
        assert not one.wait_until_leading(0.4)
        assert server.record is not None
        server.lose_answers = False
        assert one.wait_until_leading(10)


def test_a_refusal_is_told() -> None:
    server = Server()
    server.fail = ForbiddenError("cannot get leases", status=403)
    with LeaseElector(server, "ns", "name", identity="one", times=FAST) as one:
        assert not one.wait_until_leading(0.3)
        assert one.refusal == "cannot get leases"
        server.fail = None
        assert one.wait_until_leading(10)
        assert one.refusal is None


def test_a_leader_renews_without_reading_first() -> None:
    server = Server()
    with LeaseElector(server, "ns", "name", identity="one", times=FAST) as one:
        assert one.wait_until_leading(10)
        one.wait_while_leading(0.3)
    writes = [method for method in server.requests if method != "GET"]
    assert server.requests.count("GET") == 1
    assert writes[0] == "POST"
    assert all(pair == ("PUT", "PUT") for pair in pairwise(writes[1:]))


def test_two_electors_never_lead_together() -> None:
    server = Server()
    with (
        LeaseElector(server, "ns", "name", identity="one", times=FAST) as one,
        LeaseElector(server, "ns", "name", identity="two", times=FAST) as two,
    ):
        assert one.wait_until_leading(10) or two.wait_until_leading(10)
        first, second = (one, two) if one.leading() else (two, one)
        assert not second.wait_until_leading(0.3)
        first.stop()
        assert second.wait_until_leading(10)
        assert not first.leading()
