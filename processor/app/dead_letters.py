"""A record that could not be processed, as a dead letter: its own key, bytes and headers untouched, and why in further headers.

Pure. The header names are Kafka Connect's (KIP-298), so that tools for its dead letters read ours.
"""

from typing import Final, Literal

from processor.app.records import OutgoingRecord, SourceRecord

Stage = Literal["decoding", "correlation"]

VALUE_DROPPED_HEADER: Final = "podcause.value_dropped"
_MESSAGE_MAX_CHARACTERS: Final = 1024


def dead_letter(record: SourceRecord, stage: Stage, error: BaseException, topic: str) -> OutgoingRecord:
    """The dead letter of one record."""
    kind = type(error)
    reasons = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "stage": stage,
        "exception.class.name": f"{kind.__module__}.{kind.__qualname__}",
        "exception.message": str(error)[:_MESSAGE_MAX_CHARACTERS],
    }
    added = tuple((f"__connect.errors.{name}", _utf8(text)) for name, text in reasons.items())
    return OutgoingRecord(topic=topic, key=record.key, value=record.value, headers=(*record.headers, *added))


def without_value(letter: OutgoingRecord) -> OutgoingRecord:
    """The same dead letter when Kafka refuses its size: the reasons alone, and a header that says that the bytes are gone."""
    size = str(len(letter.value or b""))
    return OutgoingRecord(letter.topic, letter.key, None, (*letter.headers, (VALUE_DROPPED_HEADER, size.encode())))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
