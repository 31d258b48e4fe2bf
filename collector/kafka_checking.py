"""Whether Kafka is there as `podcause collect` needs it: reach, log in, topics, rights. Nothing is written or created.

Rights are what the broker says that this client may do (KIP-430), creation is tried with ``validate_only``. Beside publishing and
checkpoints an importer of the Kafka client.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from collector.checking import Finding
from collector.kafka_client import client_arguments, connection_failure
from schemas.kafka_failures import explain
from schemas.kafka_settings import KafkaSettings
from schemas.topics import CHECKPOINTS, OBSERVATIONS, Topic

_BOOTSTRAP_TIMEOUT_MS: Final = 15_000
_UNKNOWN_TOPIC: Final = 3
#: What the collector does with each of its topics, by the names of Kafka's ACL operations.
_OPERATIONS: Final[Mapping[Topic, tuple[str, ...]]] = {OBSERVATIONS: ("WRITE",), CHECKPOINTS: ("READ", "WRITE")}


def check_kafka(
    kafka: KafkaSettings, prefix: str, *, create: bool = True, partitions: int = 6, replication: int | None = None
) -> list[Finding]:
    """Try it all; ``create``: whether missing topics are to be created (see `collector.publishing.ensure_topics`)."""
    reach = f"reach Kafka at {kafka.bootstrap} and log in"
    found: list[Finding] = []
    with connection_failure() as failure:
        try:
            admin = KafkaAdminClient(
                **client_arguments(kafka), client_id="podcause-collector-check", bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS
            )
            try:
                brokers = len(admin.describe_cluster()["brokers"])
                found.append(Finding(reach, good=True, detail=f"{brokers} broker{'s' * (brokers != 1)}"))
                names = {topic.name(prefix): topic for topic in _OPERATIONS}
                described = {one["name"]: one for one in admin.describe_topics(list(names))}
                for name, topic in names.items():
                    found += _topic(admin, name, topic, described.get(name, {}), brokers, create, partitions, replication)
            finally:
                admin.close()
        except KafkaError as error:
            what = reach if not found else "ask Kafka"
            found.append(Finding(what, good=False, detail=explain(kafka, failure) or str(error)))
    return found


def _topic(
    admin: Any,  # noqa: ANN401 - untyped library
    name: str,
    topic: Topic,
    described: Mapping[str, Any],
    brokers: int,
    create: bool,  # noqa: FBT001 - private, and passed on as it is
    partitions: int,
    replication: int | None,
) -> list[Finding]:
    code = described.get("error_code", _UNKNOWN_TOPIC)
    if code == 0:
        there = Finding(f"topic {name}", good=True, detail=f"{len(described.get('partitions', ()))} partitions")
        return [there, *_operations(name, topic, described.get("authorized_operations"))]
    if code != _UNKNOWN_TOPIC:
        return [Finding(f"topic {name}", good=False, detail=f"may not be described (Kafka error {code})")]
    if not create:
        return [Finding(f"topic {name}", good=False, detail="does not exist, and --no-create-topics is set")]
    wanted = {"num_partitions": partitions, "replication_factor": replication or min(3, brokers), "configs": topic.config()}
    try:
        admin.create_topics({name: wanted}, validate_only=True)
    except KafkaError as error:
        return [Finding(f"topic {name}", good=False, detail=f"does not exist, and may not be created: {error}")]
    return [Finding(f"topic {name}", good=True, detail="does not exist yet; may be created")]


def _operations(name: str, topic: Topic, allowed: Sequence[str] | None) -> list[Finding]:
    if not allowed:
        return [Finding(f"rights on {name}", good=True, detail="the broker does not say", optional=True)]
    return [
        Finding(
            f"{operation.lower()} {name}",
            good=operation in allowed or "ALL" in allowed,
            detail="" if operation in allowed else f"an ACL that allows {operation} is missing",
        )
        for operation in _OPERATIONS[topic]
    ]
