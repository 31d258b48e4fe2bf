"""Which topics are made, and which do not fit together."""

import pytest

from processor.app.settings import ProcessorSettings, ProcessorSettingsError
from processor.app.topics import TopicsError, check_partitions, wanted_topics

SETTINGS = ProcessorSettings(partitions=4)


def test_on_an_empty_broker_all_are_made_with_the_contracts_policies() -> None:
    made = {
        topic.name: (topic.num_partitions, topic.replication_factor, topic.topic_configs)
        for topic in wanted_topics(SETTINGS, {}, brokers=1)
    }

    assert made == {
        "podcause.observations.v1": (4, 1, {"cleanup.policy": "delete", "retention.ms": "86400000"}),
        "podcause.diagnoses.v1": (4, 1, {"cleanup.policy": "delete", "retention.ms": "1209600000"}),
        "podcause.dead-letters.v1": (4, 1, {"cleanup.policy": "delete", "retention.ms": "2592000000"}),
        "podcause-processor-history-changelog": (4, 1, {"cleanup.policy": "compact"}),
    }


def test_the_changelog_takes_the_partitions_that_the_observations_topic_has() -> None:
    existing = {"podcause.observations.v1": 9, "podcause.diagnoses.v1": 2, "podcause.dead-letters.v1": 1}

    (changelog,) = wanted_topics(SETTINGS, existing, brokers=5)

    assert (changelog.name, changelog.num_partitions, changelog.replication_factor) == (
        "podcause-processor-history-changelog",
        9,
        3,
    )


def test_a_changelog_of_another_partition_count_is_refused_with_what_to_do() -> None:
    existing = {"podcause.observations.v1": 9, "podcause-processor-history-changelog": 4}

    with pytest.raises(TopicsError, match=r"has 9 partitions.*for 4.*delete podcause-processor-history-changelog"):
        check_partitions(SETTINGS, existing)


@pytest.mark.parametrize(
    "wrong",
    [
        {"store": "rocksdb"},
        {"standby_replicas": 1},
        {"session_timeout_seconds": 3.0},
        {"partitions": 0},
        {"batch_max_records": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ProcessorSettingsError):
        ProcessorSettings(**wrong)  # type: ignore[arg-type]
