"""What the processor's worker can be told. Plain data with defaults: reading flags and files is the commands' affair."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from processor.settings import CorrelationSettings
from schemas import topics

StoreKind = Literal["memory", "rocksdb"]

#: The Faust table that holds every pod's history; part of the changelog topic's name, so it never changes.
TABLE_NAME: Final = "history"


class ProcessorSettingsError(ValueError):
    """Settings that cannot work; the message says which and what to do. A retry does not help."""


@dataclass(frozen=True, slots=True)
class ProcessorSettings:
    """Everything the worker can be told, Kafka's connection apart (schemas.kafka_settings)."""

    topic_prefix: str = topics.DEFAULT_PREFIX
    """Topics are ``<prefix>.observations.v1`` and so on."""

    application_id: str | None = None
    """The consumer group, and the first part of the changelog topic's name; None takes ``<prefix>-processor``."""

    instance_id: str | None = None
    """Static membership (``group.instance.id``): a worker that restarts under its name gets its partitions back without a rebalance."""

    store: StoreKind = "memory"
    """Where the table lives on this machine. Either way Kafka's changelog is the truth."""

    data_dir: Path | None = None
    """Where RocksDB keeps its files; not used by the memory store."""

    standby_replicas: int = 0
    """How many other workers follow each partition's changelog, to take over without recovery. Needs RocksDB."""

    commit_interval_seconds: float = 1.0
    """How often acknowledged offsets are committed. Exactness does not depend on it: it bounds what a restart reads again."""

    session_timeout_seconds: float = 10.0
    """How soon a worker that died is noticed. Brokers allow 6 s and more."""

    batch_max_records: int = 500
    """Observations of one partition that share one group commit, at most."""

    batch_max_bytes: int = 512 * 1024
    """State and output that share one group commit, roughly at most."""

    partitions: int = 6
    """Partitions of the topics that the processor creates; those that exist keep theirs."""

    replication_factor: int | None = None
    """Replicas of the topics that the processor creates; None: 3, or as many as there are brokers."""

    create_topics: bool = True
    """Whether missing topics are created; else they are complained about."""

    web_port: int | None = None
    """The port of Faust's own web server on this machine's loopback; None is off."""

    correlation: CorrelationSettings = field(default_factory=CorrelationSettings)
    """Thresholds of the engine."""

    def __post_init__(self) -> None:
        """Refuse what cannot work, before a worker starts."""
        if self.store == "rocksdb" and self.data_dir is None:
            raise ProcessorSettingsError("store rocksdb: a data directory is needed")
        if self.standby_replicas and self.store != "rocksdb":
            raise ProcessorSettingsError("standby replicas need the store rocksdb: the memory store drops what it follows")
        if self.session_timeout_seconds < 6:
            raise ProcessorSettingsError("session timeout: brokers refuse less than 6 seconds (group.min.session.timeout.ms)")
        for name in ("partitions", "batch_max_records", "batch_max_bytes"):
            if getattr(self, name) < 1:
                raise ProcessorSettingsError(f"{name}: at least 1 is needed")

    @property
    def group_id(self) -> str:
        """The consumer group."""
        return self.application_id or f"{self.topic_prefix}-processor"

    @property
    def observations_topic(self) -> str:
        """Where observations are read."""
        return topics.OBSERVATIONS.name(self.topic_prefix)

    @property
    def diagnoses_topic(self) -> str:
        """Where diagnoses go."""
        return topics.DIAGNOSES.name(self.topic_prefix)

    @property
    def dead_letters_topic(self) -> str:
        """Where records go that cannot be processed."""
        return topics.DEAD_LETTERS.name(self.topic_prefix)

    @property
    def changelog_topic(self) -> str:
        """Where the state is logged: the name that Faust gives the table's changelog."""
        return f"{self.group_id}-{TABLE_NAME}-changelog"
