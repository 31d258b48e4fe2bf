"""What the correlation can be told: every threshold, with the contract's defaults. All durations are event time."""

from dataclasses import dataclass, replace
from typing import Final

from schemas.diagnosis import Severity

PRODUCER_NAME: Final = "podcause-processor"


@dataclass(frozen=True, slots=True)
class SeverityRule:
    """Maps diagnoses to another severity: every field that is given must match. The first rule that matches decides."""

    severity: Severity
    cause: str | None = None
    namespace: str | None = None
    label: tuple[str, str] | None = None
    """A label that the collector carries (its setting ``labels``), as name and value."""

    def matches(self, cause: str, namespace: str, labels: dict[str, str]) -> bool:
        """Whether a diagnosis of that cause, in that namespace, of a pod with those labels, is meant."""
        if self.cause is not None and self.cause != cause:
            return False
        if self.namespace is not None and self.namespace != namespace:
            return False
        return self.label is None or labels.get(self.label[0]) == self.label[1]


@dataclass(frozen=True, slots=True)
class CorrelationSettings:
    """Thresholds of the engine (contract section 3, "When an episode opens and resolves")."""

    window_seconds: int = 1200
    """The span whose evidence is weighed: two proofs of one slow loop can be 15 to 20 minutes apart."""

    grace_seconds: int = 60
    """How late an observation may come and still change the same revision's outcome."""

    recovered_after_seconds: int = 600
    """container_restarts: how long a container must have run since its last start."""

    not_ready_after_seconds: int = 120
    """not_ready: how long readiness must fail after it could be expected."""

    ready_for_seconds: int = 60
    """not_ready: how long a container must have been ready again."""

    not_started_after_seconds: int = 120
    """not_started: how long after the first proof."""

    failed_expires_after_seconds: int = 3600
    """A pod that failed for good, or was evicted, stays open that long unless it is deleted."""

    silent_expires_after_seconds: int = 86_400
    """An episode of a pod that nothing was heard of expires after this much of its cluster's time."""

    severity_rules: tuple[SeverityRule, ...] = ()
    """Severities other than the defaults (error; warning for not_ready; info when resolved)."""

    one_moment: bool = False
    """The observations are one moment's picture, not a stream: what is there now is asked for, so nothing more is waited for."""

    def for_one_moment(self) -> "CorrelationSettings":
        """The settings for a List: a question about now cannot wait two minutes for an answer."""
        return replace(self, one_moment=True, not_ready_after_seconds=60, not_started_after_seconds=20)
