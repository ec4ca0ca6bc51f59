"""Sizes and money as people read them: money exact to the last nano-unit."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.kit.units import (
    NANO_PER_UNIT,
    format_bytes,
    format_exact_nano,
    format_gflops,
    format_nano,
    format_percent,
    format_rate,
    parse_nano,
    parse_percent,
)


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


@given(st.integers(min_value=-(10**38), max_value=10**38))
def test_money_for_programs_has_all_its_decimals(amount_nano: int) -> None:
    text = format_exact_nano(amount_nano)
    with localcontext(prec=60):
        assert Decimal(text) * NANO_PER_UNIT == amount_nano
    assert len(text.partition(".")[2]) == 9


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


@given(st.integers(min_value=0, max_value=10**36 - 1))
def test_money_that_is_shown_can_be_typed(amount_nano: int) -> None:
    assert parse_nano(format_nano(amount_nano, "CNY").removesuffix(" CNY")) == amount_nano


@pytest.mark.parametrize(
    ("text", "amount_nano"), [("250", 250 * 10**9), ("0.5", 5 * 10**8), ("007.000000001", 7 * 10**9 + 1)]
)
def test_money_as_people_type_it(text: str, amount_nano: int) -> None:
    assert parse_nano(text) == amount_nano


@pytest.mark.parametrize("text", ["", ".5", "1.", "-1", "+1", "1e3", "1,5", "1 ", "0.0000000001", "٣", "1\n", "9" * 28])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an amount"):
        parse_nano(text)


@given(st.integers(min_value=0, max_value=9_999_999))
def test_percentage_reads_back_to_the_same_millionths(rate_ppm: int) -> None:
    assert parse_percent(format_percent(rate_ppm)) == rate_ppm


@pytest.mark.parametrize(
    ("text", "rate_ppm"),
    [("6", 60_000), ("2.5", 25_000), ("100%", 1_000_000), ("0", 0), ("0.0001", 1), ("13.", None), ("0.00001", None)]
    + [(text, None) for text in ("", "-1", "1e2", "a tenth", "1000", "\u0661")],
)
def test_percentages_as_people_write_them(text: str, rate_ppm: int | None) -> None:
    if rate_ppm is None:
        with pytest.raises(ValueError, match="expected a percentage"):
            parse_percent(text)
    else:
        assert parse_percent(text) == rate_ppm


def test_percentage_as_people_read_it() -> None:
    assert [format_percent(ppm) for ppm in (0, 1, 25_000, 60_000, 1_000_000)] == ["0%", "0.0001%", "2.5%", "6%", "100%"]


@pytest.mark.parametrize(
    ("gflops", "text"),
    [
        (0, "0 FLOPS"),
        (999, "999 GFLOPS"),
        (1_000, "1 TFLOPS"),
        (1_590_000, "1.59 PFLOPS"),
        (999_999_999, "1 EFLOPS"),
        (1_590_000_000_000, "1590 EFLOPS"),
    ],
)
def test_throughput_as_people_read_it(gflops: int, text: str) -> None:
    assert format_gflops(gflops) == text


@pytest.mark.parametrize(
    ("per_s", "told"),
    [
        (0, "0 B/s"),
        (7, "7 B/s"),
        (999, "999 B/s"),
        (999_900, "1 MB/s"),
        (42_400_000_000, "42.4 GB/s"),
        (123_456, "123 kB/s"),
        (10**21, "1000 EB/s"),
    ],
)
def test_rates_as_people_read_them(per_s: int, told: str) -> None:
    assert format_rate(per_s, "B/s") == told
