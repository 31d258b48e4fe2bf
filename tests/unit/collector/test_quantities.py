"""Kubernetes quantities."""

import pytest

from collector.quantities import thousandths, whole_units


@pytest.mark.parametrize(
    ("quantity", "units"),
    [
        ("128974848", 128_974_848),
        (128974848, 128_974_848),
        ("129e6", 129_000_000),
        ("1E3", 1000),
        ("129M", 129_000_000),
        ("128974848000m", 128_974_848),
        ("123Mi", 123 * 2**20),
        ("0.5Gi", 2**29),
        ("1.5k", 1500),
        (".5Ki", 512),
        ("100m", 1),
        ("0", 0),
        (" 1Gi ", 2**30),
        ("1E", None),
        ("9E", None),
        ("-1Gi", None),
        ("1GB", None),
        ("", None),
        ("1e999", None),
        ("9" * 80, None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_bytes(quantity: object, units: int | None) -> None:
    assert whole_units(quantity) == units


@pytest.mark.parametrize(
    ("quantity", "millicores"), [("250m", 250), ("1", 1000), (2, 2000), ("0.1", 100), ("100u", 1), ("x", None)]
)
def test_millicores(quantity: object, millicores: int | None) -> None:
    assert thousandths(quantity) == millicores
