"""Topics: the contract's table."""

import pytest

from schemas import topics


@pytest.mark.parametrize(
    ("topic", "name", "config"),
    [
        (topics.OBSERVATIONS, "podcause.observations.v1", {"cleanup.policy": "delete", "retention.ms": "86400000"}),
        (topics.DIAGNOSES, "podcause.diagnoses.v1", {"cleanup.policy": "delete", "retention.ms": "1209600000"}),
        (topics.INCIDENTS, "podcause.incidents.v1", {"cleanup.policy": "compact"}),
        (topics.DEAD_LETTERS, "podcause.dead-letters.v1", {"cleanup.policy": "delete", "retention.ms": "2592000000"}),
        (topics.CHECKPOINTS, "podcause.checkpoints.v1", {"cleanup.policy": "compact"}),
    ],
)
def test_a_topic_has_the_contracts_name_and_policy(topic: topics.Topic, name: str, config: dict[str, str]) -> None:
    assert (topic.name(), topic.config()) == (name, config)


def test_the_prefix_can_be_set() -> None:
    assert topics.DIAGNOSES.name("team-a.podcause") == "team-a.podcause.diagnoses.v1"


def test_these_are_all() -> None:
    assert [topic.suffix for topic in topics.ALL] == [
        "observations.v1",
        "diagnoses.v1",
        "incidents.v1",
        "dead-letters.v1",
        "checkpoints.v1",
    ]
