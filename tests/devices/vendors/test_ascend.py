"""Huawei's texts, each with all that it tells."""

import re

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.ascend import is_ascend, parse_ascend
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "ascend/info_910b.txt": (
        DeviceReading(
            "ascend",
            name="910B3",
            place="0000:c1:00.0",
            number="3/0",
            memory_mib=65536.0,
            verdict=Verdict.OK,
            values={
                NAMES.UTILIZATION_PERMILLE: 550.0,
                NAMES.MEMORY_USED_MIB: 65099.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 993.332,
                NAMES.POWER_MILLIWATTS: 271100.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 41000.0,
            },
        ),
        DeviceReading(
            "ascend",
            name="910B3",
            place="0000:01:00.0",
            number="0/0",
            memory_mib=65536.0,
            verdict=Verdict.UNKNOWN,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 3379.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 51.559,
                NAMES.POWER_MILLIWATTS: 93500.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 37000.0,
            },
        ),
    ),
    "ascend/info_910c.txt": (
        DeviceReading(
            "ascend",
            name="Ascend910",
            place="0000:9d:00.0",
            number="0/0",
            memory_mib=65536.0,
            verdict=Verdict.OK,
            values={
                NAMES.UTILIZATION_PERMILLE: 120.0,
                NAMES.MEMORY_USED_MIB: 3101.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 47.318,
                NAMES.POWER_MILLIWATTS: 161900.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 32000.0,
            },
        ),
        DeviceReading(
            "ascend",
            name="Ascend910",
            place="0000:9f:00.0",
            number="0/1",
            memory_mib=65536.0,
            verdict=Verdict.FAILED,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 2887.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 44.052,
                NAMES.TEMPERATURE_MILLICELSIUS: 33000.0,
            },
        ),
    ),
    "ascend/board.txt": (
        DeviceReading(
            "ascend",
            serial="033VCY10P4000123",
            place="0000:c1:00.0",
            number="3/0",
            facts={
                "driver_version": "24.1.rc2",
                "firmware_version": "7.1.0.7.220",
                "board_id": "0x30",
                "product_name": "Atlas 800T A2",
            },
        ),
    ),
    "ascend/board_chip.txt": (
        DeviceReading(
            "ascend",
            name="910B3",
            uuid="5D01041C-20C08AB1-A1B2C3D4-0A0B0C0D-102A0000",
            place="0000:c1:00.0",
            number="3/0",
            facts={"firmware_version": "7.1.0.7.220", "board_id": "0x30"},
        ),
    ),
    "ascend/ecc.txt": (
        DeviceReading(
            "ascend",
            number="3/0",
            values={NAMES.ECC_CORRECTED_COUNT: 7.0, NAMES.ECC_UNCORRECTED_COUNT: 2.0, NAMES.RETIRED_PAGE_COUNT: 3.0},
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_ascend(text)
    assert tuple(map(round_reading, parse_ascend(text))) == EXPECTED[name]


def test_a_chip_whose_measures_are_not_told_is_there_all_the_same() -> None:
    text = read_sample("ascend/info_910b.txt")
    blank = re.sub(r"(?m)^(\| 0 +\| 0000:C1:00\.0 +\|).*$", r"\1 |", text)
    assert blank != text
    first, second = parse_ascend(blank)
    assert (first.name, first.memory_mib, first.values[NAMES.UTILIZATION_PERMILLE]) == ("910B3", None, None)
    assert second.values[NAMES.UTILIZATION_PERMILLE] == 0.0
