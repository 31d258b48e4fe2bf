"""What is news and what is a repeat."""

import msgspec
import pytest

from collector.significance import LastPublished, event_changed, pod_changed
from schemas.observation import Container, Event, EventSeries, ObjectReference, Pod

POD = Pod(
    namespace="n", name="p", uid="u", resource_version="1", phase="Running", containers=(Container(name="c", restart_count=0),)
)
EVENT = Event(
    uid="e",
    resource_version="1",
    reason="BackOff",
    message="m",
    count=1,
    last_at="2026-01-01T00:00:00.000Z",
    involved_object=ObjectReference(name="p"),
)


@pytest.mark.parametrize(
    ("current", "news"),
    [
        (POD, False),
        (msgspec.structs.replace(POD, resource_version="2"), False),
        (msgspec.structs.replace(POD, phase="Failed"), True),
        (msgspec.structs.replace(POD, resource_version="2", containers=(Container(name="c", restart_count=1),)), True),
        (msgspec.structs.replace(POD, deletion_at="2026-01-01T00:00:00.000Z"), True),
    ],
)
def test_a_pod_is_news_when_its_projection_changes(current: Pod, news: bool) -> None:  # noqa: FBT001 - a table
    assert pod_changed(POD, current) is news
    published = LastPublished()
    assert published.is_news(POD) is True
    assert published.is_news(current) is news


@pytest.mark.parametrize(
    ("current", "news"),
    [
        (EVENT, False),
        (msgspec.structs.replace(EVENT, resource_version="2"), False),
        (msgspec.structs.replace(EVENT, count=2), True),
        (msgspec.structs.replace(EVENT, last_at="2026-01-01T00:00:01.000Z"), True),
        (msgspec.structs.replace(EVENT, message="n"), True),
        (msgspec.structs.replace(EVENT, series=EventSeries(count=2)), True),
    ],
)
def test_an_event_is_news_when_it_happened_again_or_says_something_else(current: Event, news: bool) -> None:  # noqa: FBT001 - a table
    assert event_changed(EVENT, current) is news
    published = LastPublished()
    assert published.is_news(EVENT) is True
    assert published.is_news(current) is news


def test_what_was_never_published_is_news() -> None:
    assert pod_changed(None, POD) is True
    assert event_changed(None, EVENT) is True


def test_another_uid_is_another_pod_and_what_is_forgotten_is_news_again() -> None:
    published = LastPublished()
    published.is_news(POD)
    assert published.is_news(msgspec.structs.replace(POD, uid="other")) is True
    published.forget_pod(POD)
    assert published.is_news(POD) is True
    published.is_news(EVENT)
    published.forget_event("e")
    assert published.is_news(EVENT) is True


def test_an_event_without_a_uid_is_always_news() -> None:
    published = LastPublished()
    event = msgspec.structs.replace(EVENT, uid=None)
    assert [published.is_news(event), published.is_news(event)] == [True, True]
