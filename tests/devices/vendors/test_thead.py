"""T-Head's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.thead import is_thead, parse_thead
from keisan.domain.sample import SampleName
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "thead/query.csv": (
        DeviceReading(
            "thead",
            name="PPU-ZW810E",
            uuid="GPU-019f9d10-1a2b-4c3d-8e4f-5a6b7c8d9e0f",
            serial="02A8B95253C002B8",
            place="0000:08:00.0",
            number="0",
            memory_mib=97920.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 450.0,
                NAMES.MEMORY_USED_MIB: 48960.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 500.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 62000.0,
                NAMES.POWER_MILLIWATTS: 270000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 400000.0,
                NAMES.HOST_RECEIVE_KIB_PER_S: 1024.0,
                NAMES.HOST_TRANSMIT_KIB_PER_S: 100.0,
            },
            facts={"driver_version": "1.4.2"},
        ),
        DeviceReading(
            "thead",
            name="PPU-ZW810E",
            uuid="GPU-02af9d10-1a2b-4c3d-8e4f-5a6b7c8d9e10",
            serial="02A8B95253C002B9",
            place="0000:09:00.0",
            number="1",
            memory_mib=97920.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 2.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 0.02,
                NAMES.TEMPERATURE_MILLICELSIUS: 41000.0,
                NAMES.POWER_MILLIWATTS: 92000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 400000.0,
                NAMES.HOST_RECEIVE_KIB_PER_S: 0.0,
                NAMES.HOST_TRANSMIT_KIB_PER_S: 0.0,
            },
            facts={"driver_version": "1.4.2"},
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_thead(text)
    assert tuple(map(round_reading, parse_thead(text))) == EXPECTED[name]
