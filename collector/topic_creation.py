"""Topics that are missing, created with the contract's settings; and what a refusal or silence of Kafka is called.

It publishes nothing.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import structlog
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from collector.kafka_client import client_arguments, connection_failure
from schemas.kafka_failures import explain
from schemas.kafka_settings import KafkaSettings
from schemas.topics import OBSERVATIONS, Topic

_REPLICAS: Final = 3
BOOTSTRAP_TIMEOUT_MS: Final = 15_000
_log: Final = structlog.get_logger(__name__)


class PublishError(Exception):
    """Kafka did not take an observation, or cannot be used; ``retryable`` says whether a retry may help."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


def ensure_topics(
    kafka: KafkaSettings,
    prefix: str,
    partitions: int,
    replication: int | None = None,
    *,
    create: bool = True,
    topics: tuple[Topic, ...] = (OBSERVATIONS,),
) -> None:
    """Create the topics that are missing, with the contract's settings; ``replication`` None means 3, or the number of brokers.

    Raises PublishError when Kafka cannot be reached, refuses, or a topic is missing and ``create`` is false.
    """
    with connecting(kafka):
        admin = KafkaAdminClient(
            **client_arguments(kafka), client_id="podcause-collector", bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS
        )
        try:
            existing = set(admin.list_topics())
            missing = {topic.name(prefix): topic for topic in topics if topic.name(prefix) not in existing}
            if not missing:
                return
            if not create:
                raise PublishError(
                    f"topics are missing: {', '.join(sorted(missing))}; create them, or allow it", retryable=False
                )
            replicas = replication or min(_REPLICAS, len(admin.describe_cluster()["brokers"]))
            for name, topic in missing.items():
                _create(admin, name, topic, partitions, replicas)
        finally:
            admin.close()


@contextlib.contextmanager
def connecting(kafka: KafkaSettings) -> Iterator[None]:
    """Raise PublishError for the client's errors, with the reason why no connection came about, which the client only logs."""
    with connection_failure() as failure:
        try:
            yield
        except KafkaError as error:
            retryable = bool(error.retriable) and not failure.refused
            raise PublishError(
                f"Kafka at {kafka.bootstrap}: {explain(kafka, failure) or error}", retryable=retryable
            ) from error


def _create(admin: Any, name: str, topic: Topic, partitions: int, replicas: int) -> None:  # noqa: ANN401 - untyped library
    wanted = {name: {"num_partitions": partitions, "replication_factor": replicas, "configs": topic.config()}}
    try:
        admin.create_topics(wanted, wait_for_metadata=True)
        _log.info("topic_created", topic=name, partitions=partitions, replicas=replicas)
    except TopicAlreadyExistsError:
        _log.info("topic_created_by_another", topic=name)
        admin.wait_for_topics([name])
