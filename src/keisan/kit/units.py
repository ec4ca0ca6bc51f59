"""Sizes, durations and money as people read them."""

import re

NANO_PER_UNIT = 1_000_000_000
PPM_PER_PERCENT = 10_000
_MONEY = re.compile(r"([0-9]{1,27})(?:\.([0-9]{1,9}))?")
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,4}))?")
_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

RATE_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def format_bytes(size_bytes: int) -> str:
    """Return a size with one decimal and a binary unit: 98362432 -> '93.8 MiB'."""
    value, step = size_bytes * 10, 0
    while value >= 10240 and step < len(_STEPS) - 1:
        value, step = value // 1024, step + 1
    return f"{value // 10} B" if step == 0 else f"{value // 10}.{value % 10} {_STEPS[step]}"


def format_gflops(gflops: int) -> str:
    """Return throughput as a rate: 1590000 -> '1.59 PFLOPS'."""
    return format_rate(gflops * 10**9, "FLOPS")


def parse_nano(text: str) -> int:
    """Return money as people write it in nano-units, exact: '250' or '0.5'; raises ValueError for more than 9 decimals."""
    match = _MONEY.fullmatch(text)
    if match is None:
        raise ValueError(f"expected an amount such as 250 or 0.5, got '{text}'")
    whole, decimals = match[1], match[2] or ""
    return int(whole) * NANO_PER_UNIT + int(decimals.ljust(9, "0"))


def format_nano(amount_nano: int, currency: str) -> str:
    """Return nano-units as money, exact, trailing zeros beyond the second decimal cut: 30500 -> '0.0000305 CNY'."""
    sign = "-" if amount_nano < 0 else ""
    whole, nano = divmod(abs(amount_nano), NANO_PER_UNIT)
    decimals = f"{nano:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals} {currency}"


def parse_percent(text: str) -> int:
    """Return a percentage as people write it in millionths: '2.5' -> 25000; raises ValueError for more than 4 decimals."""
    match = _PERCENT.fullmatch(text.removesuffix("%"))
    if match is None:
        raise ValueError(f"expected a percentage such as 6 or 2.5, got '{text}'")
    whole, decimals = match[1], match[2] or ""
    return int(whole) * PPM_PER_PERCENT + int(decimals.ljust(4, "0"))


def format_percent(rate_ppm: int) -> str:
    """Return millionths as a percentage, exact: 25000 -> '2.5%'."""
    whole, rest = divmod(rate_ppm, PPM_PER_PERCENT)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + "%"


def format_exact_nano(amount_nano: int) -> str:
    """Return nano-units as a decimal number with all nine decimals, for programs: 30500 -> '0.000030500'."""
    sign = "-" if amount_nano < 0 else ""
    whole, nano = divmod(abs(amount_nano), NANO_PER_UNIT)
    return f"{sign}{whole}.{nano:09d}"


def format_rate(per_s: int, unit: str) -> str:
    """Return a rate with three significant digits and a decimal prefix, for example "42.4 GFLOPS"."""
    # Rounded first, so that 999,900 is 1 M and not 1000 k.
    digits, exponent = f"{per_s:.2e}".split("e")
    power = min(int(exponent) // 3, len(RATE_PREFIXES) - 1)
    return f"{float(digits) * 10 ** (int(exponent) - 3 * power):.10g} {RATE_PREFIXES[power]}{unit}"
