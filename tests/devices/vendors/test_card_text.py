"""JSON by card: whose it is, and values whose names differ between releases."""

import json

import pytest

from keisan.devices.vendors.card_text import build_card_reading, is_hygon_card, read_cards
from keisan.domain.sample import SampleName


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"card0": 1}', '{"cardX": {}}', '{"card0": {', "5"])
def test_other_texts_have_no_cards(text: str) -> None:
    assert read_cards(text) == {}


def test_cards_go_by_their_number_and_warnings_before_them_are_passed_over() -> None:
    assert list(read_cards('WARNING: slow\n{"card7": {"a": 1}, "system": {"b": 2}}')) == ["7"]


@pytest.mark.parametrize(
    ("card", "is_hygon"),
    [
        ({"Card Vendor": "Chengdu Haiguang IC Design Co., Ltd."}, True),
        ({"Card Vendor": "Chengdu C-3000 IC Design Co., Ltd."}, True),
        ({"DCU use (%)": "0"}, True),
        ({"HCU use (%)": "0"}, True),
        ({"Card Vendor": "Advanced Micro Devices, Inc. [AMD/ATI]", "GPU use (%)": "0"}, False),
    ],
)
def test_a_card_is_its_makers(card: dict[str, str], *, is_hygon: bool) -> None:
    assert is_hygon_card(card) is is_hygon


@pytest.mark.parametrize(
    ("card", "name", "value"),
    [
        (
            {"vram Total Memory (B)": "2097152", "vram Total Used Memory (B)": "1048576"},
            SampleName.MEMORY_USED_MIB,
            1.0,
        ),
        ({"VRAM Total Used Memory (MiB)": "5"}, SampleName.MEMORY_USED_MIB, 5.0),
        ({"Temperature (Sensor core) (C)": "50.0"}, SampleName.TEMPERATURE_MILLICELSIUS, 50_000.0),
        ({"Current Socket Graphics Package Power (W)": "7.2"}, SampleName.POWER_MILLIWATTS, 7200.0),
        ({"GPU memory use (%)": "9"}, SampleName.MEMORY_UTILIZATION_PERMILLE, 90.0),
        ({"sclk clock speed:": "(1090Mhz)"}, SampleName.CLOCK_MHZ, 1090.0),
        ({"Fan speed (%)": "40"}, SampleName.FAN_PERMILLE, 400.0),
    ],
)
def test_values_are_found_by_the_part_of_their_name_that_lasts(
    card: dict[str, str], name: SampleName, value: float
) -> None:
    reading = build_card_reading("0", json.loads(json.dumps(card)), "x")
    assert reading.values[name] == value


def test_the_whole_memory_is_not_what_is_used_of_it() -> None:
    card = {"VRAM Total Used Memory (B)": "1048576", "VRAM Total Memory (B)": "4194304"}
    assert build_card_reading("0", card, "x").memory_mib == 4.0
