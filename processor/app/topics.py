"""Makes sure, before a worker starts, that its topics are there and fit together; creates those that are missing, if allowed.

Faust would create topics with a partition count of its own, and a changelog that does not have the observations topic's count would
split a partition's state. So Faust creates none.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from processor.app.kafka_client import client_arguments, connection_failure
from processor.app.settings import ProcessorSettings
from schemas import topics
from schemas.kafka_failures import explain
from schemas.kafka_settings import KafkaSettings

_log = structlog.stdlib.get_logger(__name__)

_ALREADY_EXISTS: Final = 36
_REPLICAS: Final = 3
_VISIBLE_WITHIN_SECONDS: Final = 15.0


class TopicsError(Exception):
    """Topics are missing or do not fit together; the message says which and what to do."""


class KafkaUnreachableError(Exception):
    """No broker answers, or none lets us in. A retry may help."""


def changelog_config() -> dict[str, str]:
    """The changelog's settings: the newest value of every key is kept for good."""
    return {"cleanup.policy": "compact"}


async def ensure_topics(settings: ProcessorSettings, kafka: KafkaSettings) -> int:
    """Check, and create what is missing. Returns the number of partitions of the observations topic.

    Raises TopicsError, KafkaUnreachableError.
    """
    with connection_failure() as failure:
        admin = AIOKafkaAdminClient(**client_arguments(kafka), client_id="podcause-processor")
        try:
            await admin.start()
            return await _ensure(admin, settings)
        except (KafkaError, OSError) as error:
            raise KafkaUnreachableError(f"Kafka at {kafka.bootstrap}: {explain(kafka, failure) or error}") from error
        finally:
            await admin.close()


def wanted_topics(settings: ProcessorSettings, existing: Mapping[str, int], *, brokers: int) -> list[NewTopic]:
    """The topics that are missing. The changelog takes the observations topic's number of partitions, whoever made that one."""
    replicas = settings.replication_factor or min(_REPLICAS, brokers)
    partitions = existing.get(settings.observations_topic, settings.partitions)
    configs = {
        topic.name(settings.topic_prefix): topic.config()
        for topic in (topics.OBSERVATIONS, topics.DIAGNOSES, topics.DEAD_LETTERS)
    }
    configs[settings.changelog_topic] = changelog_config()
    return [
        NewTopic(name=name, num_partitions=partitions, replication_factor=replicas, topic_configs=config)
        for name, config in configs.items()
        if name not in existing
    ]


def check_partitions(settings: ProcessorSettings, existing: Mapping[str, int]) -> int:
    """The number of partitions of the observations topic.

    Raises TopicsError when the changelog's differs: the topic was given more partitions, or was made anew.
    """
    observations, changelog = existing[settings.observations_topic], existing[settings.changelog_topic]
    if observations != changelog:
        raise TopicsError(
            f"topic {settings.observations_topic} has {observations} partitions, but the state in {settings.changelog_topic} was written "
            f"for {changelog}: keys have moved between partitions, so that state is void. Stop every worker, delete "
            f"{settings.changelog_topic} and the consumer group {settings.group_id}, and start again; open episodes are found anew"
        )
    return observations


async def _ensure(admin: AIOKafkaAdminClient, settings: ProcessorSettings) -> int:
    existing = await _partition_counts(admin)
    missing = wanted_topics(settings, existing, brokers=len((await admin.describe_cluster())["brokers"]))
    if missing:
        if not settings.create_topics:
            raise TopicsError(_how_to_create(missing))
        await _create(admin, missing)
        existing = await _until_visible(admin, {topic.name for topic in missing})
    return check_partitions(settings, existing)


async def _create(admin: AIOKafkaAdminClient, missing: list[NewTopic]) -> None:
    response = await admin.create_topics(missing)
    refused = []
    for name, code, *reason in response.topic_errors:
        if code == 0:
            _log.info("topic_created", topic=name)
        elif code != _ALREADY_EXISTS:
            refused.append(f"{name}: {reason[0] if reason else code}")
    if refused:
        raise TopicsError("topics could not be created: " + "; ".join(refused))


async def _until_visible(admin: AIOKafkaAdminClient, names: set[str]) -> dict[str, int]:
    try:
        async with asyncio.timeout(_VISIBLE_WITHIN_SECONDS):
            while not names <= (existing := await _partition_counts(admin)).keys():  # noqa: ASYNC110 - the broker has no event for it
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise TopicsError(
            f"topics were created but did not appear within {_VISIBLE_WITHIN_SECONDS:.0f} s: {', '.join(sorted(names))}"
        ) from error
    return existing


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    # All topics are asked for: asking for one by name makes some brokers create it.
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics() if not topic["error_code"]}


def _how_to_create(missing: list[NewTopic]) -> str:
    commands = [
        f"  kafka-topics.sh --create --topic {topic.name} --partitions {topic.num_partitions} --replication-factor {topic.replication_factor} "
        + " ".join(f"--config {name}={value}" for name, value in topic.topic_configs.items())
        for topic in missing
    ]
    return "\n".join(["topics are missing, and creating them is not allowed (--create-topics allows it):", *commands])
