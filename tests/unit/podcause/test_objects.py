"""Objects as kubectl prints them: every container they come in, partial ones, and a reason for what cannot be read."""

import json
from typing import Any

import pytest

from podcause.objects import ObjectError, objects_in

_POD: dict[str, Any] = {"kind": "Pod", "metadata": {"name": "web-0", "namespace": "shop"}}
_EVENT: dict[str, Any] = {"kind": "Event", "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-0"}}
_NODE: dict[str, Any] = {"kind": "Node", "metadata": {"name": "node-a", "creationTimestamp": "2026-01-01T10:00:00Z"}}


def _kinds(text: str) -> list[tuple[str, str]]:
    objects, _ = objects_in(text)
    return [(item.where, item.kind) for item in objects]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (json.dumps({"kind": "List", "items": [_EVENT, _POD]}), [("items[0].", "Event"), ("items[1].", "Pod")]),
        (json.dumps({"kind": "PodList", "items": [{"metadata": {"name": "a"}}]}), [("items[0].", "Pod")]),
        (json.dumps({"kind": "EventList", "items": [{"involvedObject": {"name": "a"}}]}), [("items[0].", "Event")]),
        (json.dumps({"items": [_POD]}), [("items[0].", "Pod")]),
        (json.dumps(_POD), [("", "Pod")]),
        (json.dumps(_EVENT), [("", "Event")]),
        (f"{json.dumps(_POD)}\n{json.dumps(_EVENT)}\n", [("line 1: ", "Pod"), ("line 2: ", "Event")]),
        (
            json.dumps({"kind": "List", "items": [_POD]}, indent=1) + json.dumps(_EVENT),
            [("line 1: items[0].", "Pod"), ("line 12: ", "Event")],
        ),
        ('{"kind":"List","items":[]}', []),
        ('{"kind":"List","items":null}', []),
        ('{"items":[{"metadata":{"name":"a"},"status":{"phase":"Running"}}]}', [("items[0].", "Pod")]),
    ],
)
def test_objects_are_found_however_they_are_packed(text: str, expected: list[tuple[str, str]]) -> None:
    assert _kinds(text) == expected


@pytest.mark.parametrize(
    "item",
    [
        _NODE,
        {"kind": "ReplicaSet", "metadata": {"name": "web"}},
        {"kind": "Event", "involvedObject": {"kind": "Node", "name": "node-a"}},
        {"kind": "Pod", "apiVersion": "example.com/v1", "metadata": {"name": "another-kind-of-pod"}},
        {"kind": "Deployment"},
    ],
)
def test_other_objects_are_passed_over(item: dict[str, Any]) -> None:
    assert _kinds(json.dumps({"kind": "List", "items": [item, _POD]})) == [("items[1].", "Pod")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: empty: no JSON in it"),
        (" \n", "line 1: empty: no JSON in it"),
        ("kind: List", "line 1: not JSON: Expecting value (column 1)"),
        ('{"kind":"List",\n"items":[\n{]}', "line 3: not JSON: Expecting property name enclosed in double quotes (column 2)"),
        ('{"kind":"Node"}\n{"kind":', "line 2: not JSON: Expecting value (column 9)"),
        ('{"kind":"Pod","metadata":{"name":NaN}}', "line 1: not JSON: NaN is no JSON number"),
        ("[" * 100_000, "line 1: nested too deeply"),
        ("[]", "line 1: not an object: expected a v1 List, a Pod, an Event, or a recording"),
        ('{"kind":"List"}', "items: missing"),
        ('{"kind":"List","items":{}}', "items: expected a list"),
        ('{"kind":"List","items":[7]}', "items[0]: expected an object"),
        ('{"kind":"List","items":[{"metadata":{"name":"a"}}]}', "items[0].kind: missing"),
        ('{"kind":"List","items":[{"kind":7}]}', "items[0].kind: expected text"),
        ('{"kind":"List","items":[{"kind":"Pod"}]}', "items[0].metadata.name: missing"),
        ('{"kind":"List","items":[{"kind":"Pod","metadata":{"name":""}}]}', "items[0].metadata.name: missing"),
        (
            '{"kind":"List","items":[{"kind":"Pod","metadata":{"name":7}}]}',
            "items[0].metadata.name: expected str | null, got int",
        ),
        ('{"kind":"Pod","metadata":[]}', "metadata: expected object | null, got array"),
        ('{"kind":"Event"}', "involvedObject.name: missing"),
        ('{"kind":"Event","regarding":{"kind":"Pod"}}', "regarding.name: missing"),
        (
            '{"kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"b"},{"image":"c"}]}}',
            "spec.containers[1].name: missing",
        ),
        (
            '{"kind":"Pod","metadata":{"name":"a"},"status":{"containerStatuses":[{"name":"b","restartCount":"3"}]}}',
            "status.containerStatuses[0].restartCount: expected int | null, got str",
        ),
        (
            '{"kind":"Event","involvedObject":{"name":"a"},"lastTimestamp":"5m"}',
            "lastTimestamp: not an RFC 3339 timestamp: '5m'",
        ),
        (
            '{"kind":"Pod","metadata":{"name":"a"},"status":{"conditions":[{"lastTransitionTime":7}]}}',
            "status.conditions[0].lastTransitionTime: expected an RFC 3339 time",
        ),
        (f"{json.dumps(_POD)}\n" + '{"kind":"Pod"}', "line 2: metadata.name: missing"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line_or_field(text: str, message: str) -> None:
    with pytest.raises(ObjectError) as raised:
        objects_in(text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("items", "newest"),
    [
        ([_POD], None),
        ([_POD, {**_EVENT, "lastTimestamp": "2026-01-01T12:00:00Z"}], "2026-01-01T12:00:00.000Z"),
        ([{**_EVENT, "eventTime": "2026-01-01T12:00:00.123456Z", "lastTimestamp": None}], "2026-01-01T12:00:00.123Z"),
        ([{**_EVENT, "series": {"count": 2, "lastObservedTime": "2026-01-01T12:00:00+01:00"}}], "2026-01-01T11:00:00.000Z"),
        ([{"kind": "Pod", "metadata": {"name": "a", "creationTimestamp": "2026-01-01T12:00:00Z"}}], "2026-01-01T12:00:00.000Z"),
        ([_NODE], "2026-01-01T10:00:00.000Z"),
        (
            [
                {
                    **_POD,
                    "status": {
                        "containerStatuses": [{"name": "c", "state": {"running": {"startedAt": "2026-01-01T09:00:00Z"}}}]
                    },
                }
            ],
            "2026-01-01T09:00:00.000Z",
        ),
        (
            # deletionTimestamp lies in the future by the grace period: the request is the newest thing that happened.
            [
                {
                    "kind": "Pod",
                    "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T12:00:30Z", "deletionGracePeriodSeconds": 30},
                }
            ],
            "2026-01-01T12:00:00.000Z",
        ),
        (
            [{"kind": "Pod", "metadata": {"name": "a", "annotations": {"startedAt": "2030-01-01T12:00:00Z"}}}],
            None,
        ),
    ],
)
def test_the_newest_time_is_found_wherever_it_is(items: list[dict[str, Any]], newest: str | None) -> None:
    assert objects_in(json.dumps({"kind": "List", "items": items}))[1] == newest


@pytest.mark.parametrize(
    ("event", "namespace"),
    [
        ({"involvedObject": {"name": "web-0", "namespace": "other"}}, "other"),
        ({"involvedObject": {"name": "web-0"}, "metadata": {"namespace": "of-the-event"}}, "of-the-event"),
        ({"involvedObject": {"name": "web-0"}}, "shop"),
        ({"regarding": {"name": "web-0"}}, "shop"),
        ({"involvedObject": {"name": "twin"}}, "default"),
        ({"involvedObject": {"name": "unknown"}}, "default"),
    ],
)
def test_an_event_without_a_namespace_gets_that_of_the_one_pod_of_its_name(event: dict[str, Any], namespace: str) -> None:
    twins = [{"kind": "Pod", "metadata": {"name": "twin", "namespace": name}} for name in ("a", "b")]
    objects, _ = objects_in(json.dumps({"kind": "List", "items": [{"kind": "Event", **event}, *twins, _POD]}))
    body = objects[0].body
    assert (body.get("involvedObject") or body["regarding"])["namespace"] == namespace


def test_a_pod_without_a_namespace_is_in_default() -> None:
    objects, _ = objects_in('{"kind":"Pod","metadata":{"name":"a"}}')
    assert objects[0].body["metadata"]["namespace"] == "default"


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    objects, _ = objects_in(r'{"kind":"Event","involvedObject":{"name":"a"},"message":"\ud800 and \ud83d\ude00"}')
    assert objects[0].body["message"] == "\ufffd and \U0001f600"
