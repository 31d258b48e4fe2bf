"""What the collector can be told. Plain data with defaults: reading flags, files or the environment is the commands' affair."""

from dataclasses import dataclass

from schemas.topics import DEFAULT_PREFIX


@dataclass(frozen=True, slots=True)
class TranslationSettings:
    """How much of an object reaches an observation."""

    labels: tuple[str, ...] = ()
    """The pod labels that are carried, for routing. All others stay in the cluster."""

    text_characters: int = 4096
    """The longest message or probe output; from longer ones the middle is cut and the record says ``truncated``."""

    argument_characters: int = 1024
    """The longest single argument of a command, cut likewise."""

    log_lines: int = 25
    """How many of a terminated container's last lines are carried."""

    log_characters: int = 16_384
    """The longest log tail; from longer ones the beginning is cut and the record says ``truncated``."""


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """Everything the collector can be told, Kafka's connection apart (schemas.kafka_settings)."""

    cluster_name: str | None = None
    """The operator's name for the cluster; None takes the recording's."""

    topic_prefix: str = DEFAULT_PREFIX
    """Topics are ``<prefix>.observations.v1`` and so on."""

    clock_seconds: int = 15
    """How often a clock observation is published (contract section 2)."""

    translation: TranslationSettings = TranslationSettings()
    """What is carried of each object."""
