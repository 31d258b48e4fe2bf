"""The journal: whole or not at all."""

import msgspec
import pytest

from processor.app.journal import Entry, JournalFormatError, decode_entry, decode_head, encode_entry, encode_settled
from processor.app.records import OutgoingRecord

ENTRY = Entry(
    offset=7,
    changes={"kind/shop/cart": b"\x00state", "gone": None},
    outputs=[OutgoingRecord("t", b"k", b"v", (("a", b"1"), ("a", b"2")))],
)


@pytest.mark.parametrize(("chunk_bytes", "chunks"), [(1000, 0), (20, 3), (1, 56)])
def test_an_entry_comes_back_as_it_was(chunk_bytes: int, chunks: int) -> None:
    head, parts = encode_entry(ENTRY, chunk_bytes)

    assert len(parts) == chunks
    assert decode_entry(decode_head(head), parts.__getitem__) == ENTRY


def test_chunks_of_a_later_commit_leave_nothing_to_be_done_again() -> None:
    head, _ = encode_entry(ENTRY, 20)
    _, later = encode_entry(Entry(9, {"kind/shop/cart": b"other", "more": b"x" * 30}, []), 20)

    assert decode_entry(decode_head(head), later.__getitem__) is None


def test_missing_chunks_leave_nothing_to_be_done_again() -> None:
    head, _ = encode_entry(ENTRY, 20)

    assert decode_entry(decode_head(head), lambda _: None) is None


def test_a_settled_head_keeps_the_offset_alone() -> None:
    head = decode_head(encode_settled(7))

    assert (head.offset, head.settled, decode_entry(head, lambda _: None)) == (7, True, None)


def test_a_later_releases_format_is_refused_with_what_to_do() -> None:
    with pytest.raises(JournalFormatError, match="format 2; this release reads 1: run the newer one"):
        decode_head(msgspec.msgpack.encode([2, 7]))


def test_damage_is_refused() -> None:
    with pytest.raises(JournalFormatError):
        decode_head(b"\xc1")
