"""Lenient reading of raw JSON values: the wrong type is the same as absent. Pure; raises nothing.

Objects may be partial, retyped by hand or hostile. Each function returns a value of the type asked for, within bounds that a
record can hold, or nothing.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from schemas.timestamps import InvalidTimestampError, normalise

Raw = Mapping[str, Any]

#: Names, reasons, images and the like: Kubernetes allows 253 characters for most, images may be longer.
SHORT_TEXT_MAX_BYTES: Final = 1024
#: JSON numbers that every consumer reads exactly (contract section 1).
INTEGER_MAX: Final = 2**53 - 1

_NOTHING: Final[Raw] = {}
_DIGITS: Final = re.compile(r"-?[0-9]{1,16}")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_TIMESTAMP: Final = 64


def mapping(value: object) -> Raw:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else _NOTHING


def mappings(value: object) -> Sequence[Raw]:
    """The objects of a list; what else is in it is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else ()


def sequence(value: object) -> Sequence[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


def encodable(text: str) -> str:
    """The text without lone surrogates, which JSON can write and UTF-8 cannot."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def short_text(value: object) -> str | None:
    """A non-empty text without control characters, cut at ``SHORT_TEXT_MAX_BYTES`` of UTF-8, or None."""
    if not isinstance(value, str) or not value:
        return None
    if len(value) > SHORT_TEXT_MAX_BYTES:
        value = value[:SHORT_TEXT_MAX_BYTES]
    if value.isascii() and value.isprintable():
        return value
    text = _CONTROLS.sub("\ufffd", value)
    return text.encode("utf-8", "replace")[:SHORT_TEXT_MAX_BYTES].decode("utf-8", "ignore")


def integer(value: object) -> int | None:
    """A whole number below 2^53, also when written as a text or as 3.0; booleans are none."""
    if isinstance(value, bool):
        return None
    if (isinstance(value, float) and value.is_integer()) or (isinstance(value, str) and _DIGITS.fullmatch(value)):
        value = int(value)
    if isinstance(value, int) and -INTEGER_MAX <= value <= INTEGER_MAX:
        return value
    return None


def count(value: object) -> int | None:
    """A whole number of at least 0, or None."""
    number = integer(value)
    return number if number is not None and number >= 0 else None


def positive(value: object) -> int | None:
    """A whole number of at least 1, or None: Kubernetes writes 0 or null where nothing was counted."""
    number = integer(value)
    return number if number is not None and number > 0 else None


def boolean(value: object) -> bool | None:
    """True or False, or None."""
    return value if isinstance(value, bool) else None


def timestamp(value: object) -> str | None:
    """A time in the records' form; None when unreadable, or when it is Go's or Unix's zero time (never happened)."""
    if not isinstance(value, str) or not value or len(value) > _LONGEST_TIMESTAMP:
        return None
    return _timestamp(value)


@lru_cache(maxsize=16_384)
def _timestamp(text: str) -> str | None:
    try:
        moment = normalise(text)
    except InvalidTimestampError:
        return None
    return None if moment.startswith(("1970-01-01T00:00:00.000", "0001-01-01T")) else moment
