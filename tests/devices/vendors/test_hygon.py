"""Hygon's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.hygon import is_hygon, parse_hygon
from keisan.domain.sample import SampleName
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "hygon/cards.json": (
        DeviceReading(
            "hygon",
            name="K100_AI",
            uuid="7137d9b2a08a4841",
            serial="TRCW280005090201",
            place="0000:06:00.0",
            number="0",
            memory_mib=65520.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 880.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 500.0,
                NAMES.MEMORY_USED_MIB: 32760.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 61000.0,
                NAMES.MEMORY_TEMPERATURE_MILLICELSIUS: 63000.0,
                NAMES.POWER_MILLIWATTS: 277000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 400000.0,
            },
            facts={"device_id": "0x6210"},
        ),
        DeviceReading(
            "hygon",
            name="K100_AI",
            uuid="7137d9debec858c1",
            serial="TRCW340004110601",
            place="0000:0a:00.0",
            number="1",
            memory_mib=65520.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 2.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 36000.0,
                NAMES.POWER_MILLIWATTS: 76000.0,
            },
            facts={"device_id": "0x6210"},
        ),
    ),
    "hygon/cards_old.json": (
        DeviceReading(
            "hygon",
            name="DCU K100",
            serial="TPX0000001",
            number="0",
            memory_mib=65520.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 2.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 41000.0,
                NAMES.POWER_MILLIWATTS: 80000.0,
            },
            facts={"device_id": "0x6210"},
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_hygon(text)
    assert tuple(map(round_reading, parse_hygon(text))) == EXPECTED[name]
