"""Sizes and money as people read them: money exact to the last nano-unit."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.kit.units import NANO_PER_UNIT, format_bytes, format_nano


@given(st.integers(min_value=-(10**38), max_value=10**38))
def test_money_reads_back_to_the_same_nano_units(amount_nano: int) -> None:
    text, currency = format_nano(amount_nano, "CNY").split(" ")
    with localcontext(prec=60):
        assert Decimal(text) * NANO_PER_UNIT == amount_nano
    assert currency == "CNY"
    decimals = text.partition(".")[2]
    assert 2 <= len(decimals) <= 9
    assert len(decimals) == 2 or not decimals.endswith("0")


@pytest.mark.parametrize(
    ("amount_nano", "text"),
    [
        (30_500, "0.0000305 CNY"),
        (0, "0.00 CNY"),
        (1_500_000_000, "1.50 CNY"),
        (-1, "-0.000000001 CNY"),
        (12_000_000_000, "12.00 CNY"),
    ],
)
def test_money_as_people_read_it(amount_nano: int, text: str) -> None:
    assert format_nano(amount_nano, "CNY") == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1023.9 KiB"),
        (98_362_432, "93.8 MiB"),
        (1024**5 * 5000, "5000.0 PiB"),
    ],
)
def test_sizes_as_people_read_them(size_bytes: int, text: str) -> None:
    assert format_bytes(size_bytes) == text


@given(st.integers(min_value=1024, max_value=2**60))
def test_size_is_cut_by_less_than_a_tenth_of_its_unit_per_step(size_bytes: int) -> None:
    value, unit = format_bytes(size_bytes).split(" ")
    scale = 1024 ** ("B", "KiB", "MiB", "GiB", "TiB", "PiB").index(unit)
    shown_bytes = Decimal(value) * scale
    assert shown_bytes <= size_bytes < shown_bytes + Decimal(scale) / 10
