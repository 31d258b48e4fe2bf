"""The journal of one partition: one entry that makes a group commit atomic, however many records it takes.

A commit changes many keys and sends many diagnoses, and Kafka takes each as a record of its own: a crash can leave any part of them
behind. So the whole commit is first written as one journal entry, and only then key by key. Whoever recovers the partition finds in
the entry what the last commit was, and does it again in full: the same bytes, so again and again changes nothing.

An entry too large for one record is cut into chunks, written before the head; the head alone makes the entry valid. This module
encodes and decodes; it must not know Kafka or Faust.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from processor.app.records import OutgoingRecord

CHUNK_BYTES: Final = 512 * 1024
_VERSION: Final = 1


class JournalFormatError(ValueError):
    """A journal that this release cannot read: written by a later one, or damaged. A retry does not help."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One group commit: up to which source offset, what became of which key (None: removed), and what was sent."""

    offset: int
    changes: Mapping[str, bytes | None]
    outputs: Sequence[OutgoingRecord]


class _Body(msgspec.Struct, array_like=True, frozen=True):
    changes: list[tuple[str, bytes | None]]
    outputs: list[tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]]]]


class Head(msgspec.Struct, array_like=True, frozen=True):
    """The record that makes an entry valid. ``payload`` is the body itself, unless it was cut into ``chunks``."""

    version: int
    offset: int
    chunks: int = 0
    digest: bytes = b""
    payload: bytes = b""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done again."""
        return not self.payload and not self.chunks


_encoder = msgspec.msgpack.Encoder()
_heads: Final = msgspec.msgpack.Decoder(Head)
_bodies: Final = msgspec.msgpack.Decoder(_Body)


def encode_entry(entry: Entry, chunk_bytes: int = CHUNK_BYTES) -> tuple[bytes, list[bytes]]:
    """The head record's value, and the chunks that must be written before it (none when the entry fits into the head)."""
    body = _encoder.encode(
        _Body(
            changes=list(entry.changes.items()),
            outputs=[(output.topic, output.key, output.value, list(output.headers)) for output in entry.outputs],
        )
    )
    if len(body) <= chunk_bytes:
        return _encoder.encode(Head(_VERSION, entry.offset, payload=body)), []
    chunks = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)]
    digest = hashlib.sha256(body).digest()
    return _encoder.encode(Head(_VERSION, entry.offset, chunks=len(chunks), digest=digest)), chunks


def encode_settled(offset: int) -> bytes:
    """A head that says: all up to this offset is done, and nothing needs doing again."""
    return _encoder.encode(Head(_VERSION, offset))


def decode_head(value: bytes) -> Head:
    """The head from its bytes.

    Raises JournalFormatError.
    """
    try:
        head = _heads.decode(value)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise JournalFormatError(f"the partition's journal cannot be read: {error}") from error
    if head.version != _VERSION:
        raise JournalFormatError(
            f"the state was written in format {head.version}; this release reads {_VERSION}: run the newer one"
        )
    return head


def decode_entry(head: Head, chunk: Callable[[int], bytes | None]) -> Entry | None:
    """What the last commit was, or None when nothing of it is left to be done.

    Chunks that are missing or not the head's own belong to a later commit whose head was never written: that one began only after
    the head's commit was done in full.

    Raises JournalFormatError.
    """
    body = head.payload
    if head.chunks:
        parts = [chunk(number) for number in range(head.chunks)]
        body = b"".join(part for part in parts if part is not None)
        if hashlib.sha256(body).digest() != head.digest:
            return None
    if not body:
        return None
    try:
        decoded = _bodies.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise JournalFormatError(f"the partition's journal cannot be read: {error}") from error
    return Entry(
        offset=head.offset,
        changes=dict(decoded.changes),
        outputs=[OutgoingRecord(topic, key, value, tuple(headers)) for topic, key, value, headers in decoded.outputs],
    )
