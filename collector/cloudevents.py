"""Observations as Kafka messages: key and CloudEvents 1.0 headers in binary mode (contract sections 1 and 3). Pure.

Whatever a header says is in the body too. Source of the form: CloudEvents Kafka protocol binding 1.0.2, section 3.2 (binary
mode), and the partitioning extension (`partitionkey`).
"""

from typing import Final

from schemas.identity import pod_key
from schemas.observation import (
    ClockObservation,
    EventObservation,
    GapObservation,
    LogObservation,
    Observation,
)

SPECIFICATION_VERSION: Final = "1.0"
DATA_SCHEMA: Final = "https://podcause.io/schemas/v1/observation.json"


def kind(observation: Observation) -> str:
    """The kind as the record's ``kind`` says it, for example ``pod_deleted``."""
    return str(type(observation).__struct_config__.tag)


def message_key(observation: Observation) -> str:
    """``<cluster>/<namespace>/<pod>``; ``<cluster>`` for clocks and gaps, which concern every pod."""
    subject = _pod(observation)
    return observation.cluster.name if subject is None else pod_key(observation.cluster.name, *subject)


def goes_to_every_partition(observation: Observation) -> bool:
    """Whether each partition needs it: event time and gaps concern every pod of the cluster."""
    return isinstance(observation, ClockObservation | GapObservation)


def message_headers(observation: Observation) -> list[tuple[str, bytes]]:
    """The headers, in a fixed order. Clocks and gaps have no subject."""
    subject = _pod(observation)
    headers = [
        ("content-type", "application/json"),
        ("ce_specversion", SPECIFICATION_VERSION),
        ("ce_id", observation.id),
        ("ce_source", f"/clusters/{observation.cluster.uid}"),
        ("ce_type", f"io.podcause.observation.{kind(observation)}.v1"),
        ("ce_time", observation.observed_at),
        ("ce_dataschema", DATA_SCHEMA),
        ("ce_partitionkey", message_key(observation)),
    ]
    if subject is not None:
        headers.append(("ce_subject", "/".join(subject)))
    return [(name, value.encode()) for name, value in headers]


def _pod(observation: Observation) -> tuple[str, str] | None:
    """Namespace and name of the pod that it is about, or None."""
    if isinstance(observation, ClockObservation | GapObservation):
        return None
    if isinstance(observation, EventObservation):
        return observation.event.involved_object.namespace, observation.event.involved_object.name
    if isinstance(observation, LogObservation):
        return observation.log.namespace, observation.log.pod_name
    return observation.pod.namespace, observation.pod.name
