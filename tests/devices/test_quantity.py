"""Numbers as tools print them."""

import pytest

from keisan.devices.quantity import add_known, clean_text, share_permille, take_kib_per_s, take_mib, take_number


@pytest.mark.parametrize(
    ("found", "number"),
    [
        ("65.23 W", 65.23),
        ("45 %", 45.0),
        (" -7 C", -7.0),
        (41, 41.0),
        (0, 0.0),
        ({"value": 41, "unit": "C"}, 41.0),
        ({"value": "N/A", "unit": "mV"}, None),
        ("[N/A]", None),
        ("[Unknown Error]", None),
        ("[Not Supported]", None),
        ("-", None),
        ("", None),
        (None, None),
        (True, None),
        ("fast", None),
    ],
)
def test_a_number_is_what_a_value_begins_with(found: object, number: float | None) -> None:
    assert take_number(found) == number


def test_numbers_are_scaled() -> None:
    assert take_number("65.23 W", 1000) == pytest.approx(65_230)


@pytest.mark.parametrize(
    ("found", "mib"),
    [
        ("97871 MiB", 97871.0),
        ("65536", 65536.0),
        ("65536 MB", 65536.0),
        ("3 GiB", 3072.0),
        ("2097152 B", 2.0),
        ("2048 KiB", 2.0),
        ({"value": 196592, "unit": "MB"}, 196592.0),
        ("5 parsecs", None),
        ("N/A", None),
    ],
)
def test_memory_is_in_mib(found: object, mib: float | None) -> None:
    assert take_mib(found) == mib


@pytest.mark.parametrize(
    ("found", "kib"), [("4000 KB/s", 4000.0), ("2 MiB/s", 2048.0), ("1 GB/s", 2.0**20), ("7", 7.0), ("N/A", None)]
)
def test_rates_are_in_kib(found: str, kib: float | None) -> None:
    assert take_kib_per_s(found) == kib


def test_a_text_in_brackets_keeps_those_that_are_its_own() -> None:
    assert clean_text("Intel(R) Graphics [0x020a]") == "Intel(R) Graphics [0x020a]"
    assert clean_text(" [Active] ") == "Active"


def test_sums_and_shares_are_of_what_is_known() -> None:
    assert add_known(None, 2.0, 3.0) == 5.0
    assert add_known(None, None) is None
    assert share_permille(1.0, 4.0) == 250.0
    assert share_permille(None, 4.0) is share_permille(1.0, None) is share_permille(0.0, 0.0) is None
