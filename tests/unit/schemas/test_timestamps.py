"""Timestamps: one form out, RFC 3339 in, and nothing guessed."""

import pytest

from schemas.timestamps import InvalidTimestampError, format_ms, normalise, parse_ms


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("2026-11-22T16:26:43.562Z", "2026-11-22T16:26:43.562Z"),
        ("2026-11-22T16:26:43Z", "2026-11-22T16:26:43.000Z"),
        ("2026-11-22T16:26:43.562987Z", "2026-11-22T16:26:43.562Z"),
        ("2026-11-22T16:26:43.5Z", "2026-11-22T16:26:43.500Z"),
        ("2026-11-22T17:26:43+01:00", "2026-11-22T16:26:43.000Z"),
        ("2024-02-29T00:00:00-23:59", "2024-02-29T23:59:00.000Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_is_written_in_one_form(text: str, normal: str) -> None:
    assert normalise(text) == normal


def test_milliseconds_count_from_the_unix_epoch() -> None:
    assert parse_ms("1970-01-01T00:00:01.5Z") == 1500
    assert format_ms(1_795_364_803_562) == "2026-11-22T16:26:43.562Z"


def test_microseconds_before_the_epoch_are_cut_towards_the_past() -> None:
    assert parse_ms("1969-12-31T23:59:59.9995Z") == -1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not an RFC 3339 timestamp: ''"),
        ("yesterday", "not an RFC 3339 timestamp: 'yesterday'"),
        ("2026-02-30T00:00:00Z", "not an RFC 3339 timestamp: '2026-02-30T00:00:00Z'"),
        ("2026-11-22T16:26:43", "a timestamp needs a time zone, for example a final Z: '2026-11-22T16:26:43'"),
    ],
)
def test_what_is_no_timestamp_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidTimestampError) as raised:
        parse_ms(text)
    assert str(raised.value) == message


def test_an_instant_that_rfc_3339_cannot_write_is_refused() -> None:
    with pytest.raises(InvalidTimestampError) as raised:
        format_ms(10**18)
    assert str(raised.value) == "1000000000000000000 ms lies outside the years 1 to 9999"
