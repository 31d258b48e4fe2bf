"""The topics: names and policies (contract section 1)."""

from dataclasses import dataclass
from typing import Final

DEFAULT_PREFIX: Final = "podcause"

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: its suffix after the prefix, and the settings it is created with. ``retention_ms`` None keeps it by compaction."""

    suffix: str
    cleanup_policy: str
    retention_ms: int | None

    def name(self, prefix: str = DEFAULT_PREFIX) -> str:
        """The full name, for example ``podcause.observations.v1``."""
        return f"{prefix}.{self.suffix}"

    def config(self) -> dict[str, str]:
        """Kafka topic settings (``cleanup.policy``, ``retention.ms``)."""
        settings = {"cleanup.policy": self.cleanup_policy}
        if self.retention_ms is not None:
            settings["retention.ms"] = str(self.retention_ms)
        return settings


OBSERVATIONS: Final = Topic("observations.v1", "delete", _DAY_MS)
DIAGNOSES: Final = Topic("diagnoses.v1", "delete", 14 * _DAY_MS)
INCIDENTS: Final = Topic("incidents.v1", "compact", None)
DEAD_LETTERS: Final = Topic("dead-letters.v1", "delete", 30 * _DAY_MS)
CHECKPOINTS: Final = Topic("checkpoints.v1", "compact", None)

ALL: Final = (OBSERVATIONS, DIAGNOSES, INCIDENTS, DEAD_LETTERS, CHECKPOINTS)
