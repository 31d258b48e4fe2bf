"""Kubernetes quantities to integers: ``100Mi`` to bytes, ``250m`` of CPU to millicores. Pure; raises nothing.

Source of the forms: apimachinery pkg/api/resource/quantity.go (a number, then a binary or decimal suffix or an exponent).
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from collector.raw_values import INTEGER_MAX

_QUANTITY: Final = re.compile(
    r"\+?([0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?"
)
_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def whole_units(quantity: object) -> int | None:
    """The quantity in whole units (bytes), rounded up as Kubernetes does; None when unreadable, negative or 2^53 and more."""
    return _scaled(quantity, 1)


def thousandths(quantity: object) -> int | None:
    """The quantity in thousandths (millicores), rounded up; None as above."""
    return _scaled(quantity, 1000)


def _scaled(quantity: object, factor: int) -> int | None:
    if isinstance(quantity, bool):
        return None
    if isinstance(quantity, int | float):
        quantity = str(quantity)
    return _parsed(quantity, factor) if isinstance(quantity, str) and len(quantity) <= 64 else None


@lru_cache(maxsize=4096)
def _parsed(quantity: str, factor: int) -> int | None:
    found = _QUANTITY.fullmatch(quantity.strip())
    if found is None:
        return None
    number, binary, decimal, exponent = found.groups()
    value = Decimal(number) * factor
    if binary:
        value *= _BINARY[binary]
    elif decimal:
        value = value.scaleb(_DECIMAL[decimal])
    elif exponent:
        value = value.scaleb(int(exponent))
    rounded = int(value.to_integral_value(rounding="ROUND_CEILING"))
    return rounded if rounded <= INTEGER_MAX else None
