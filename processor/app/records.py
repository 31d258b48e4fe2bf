"""The records that the app moves: one that came in, one that goes out. Raw bytes; no Faust and no meaning here."""

from dataclasses import dataclass, field

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record of a source topic, as Kafka handed it over."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """One record to be sent. ``log_fields`` is what its log line says; it never reaches Kafka."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    log_fields: dict[str, object] = field(default_factory=dict, compare=False)
