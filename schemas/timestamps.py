"""RFC 3339 timestamps of the records, and the integer milliseconds that arithmetic uses.

Records carry text (``2026-11-22T16:26:43.562Z``, contract section 1); code that compares times carries milliseconds since the
Unix epoch. Both directions are here and nowhere else.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidTimestampError(ValueError):
    """A text that is not an RFC 3339 timestamp with a time zone."""


@lru_cache(maxsize=65536)
def parse_ms(text: str) -> int:
    """Milliseconds since the Unix epoch of an RFC 3339 timestamp (microseconds are cut).

    Raises InvalidTimestampError for anything else, a timestamp without a zone included (RFC 3339 section 4.3 forbids guessing).
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidTimestampError(f"not an RFC 3339 timestamp: {text[:64]!r}") from error
    if moment.tzinfo is None:
        raise InvalidTimestampError(f"a timestamp needs a time zone, for example a final Z: {text[:64]!r}")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=65536)
def format_ms(milliseconds: int) -> str:
    """RFC 3339, UTC, with milliseconds and Z: the one form that records use.

    Raises InvalidTimestampError when the instant lies outside the years 1 to 9999 that RFC 3339 can write.
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise InvalidTimestampError(f"{milliseconds} ms lies outside the years 1 to 9999") from error
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def normalise(text: str) -> str:
    """Any RFC 3339 timestamp in the form that records use."""
    return format_ms(parse_ms(text))
