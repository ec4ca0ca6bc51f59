"""Biren's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.biren import is_biren, parse_biren
from keisan.domain.sample import SampleName
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "biren/query.csv": (
        DeviceReading(
            "biren",
            name="Biren106M",
            uuid="GPU-8d0f1c2b-3a4b-5c6d-7e8f-9a0b1c2d3e4f",
            place="0000:3d:00.0",
            number="0",
            memory_mib=65536.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 520.0,
                NAMES.MEMORY_USED_MIB: 32768.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 500.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 61000.0,
                NAMES.POWER_MILLIWATTS: 231000.0,
            },
        ),
        DeviceReading(
            "biren",
            name="Biren106M",
            uuid="GPU-9e1f2c3b-4a5b-6c7d-8e9f-0a1b2c3d4e5f",
            place="0000:5e:00.0",
            number="1",
            memory_mib=65536.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 12.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 0.183,
                NAMES.TEMPERATURE_MILLICELSIUS: 40000.0,
            },
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_biren(text)
    assert tuple(map(round_reading, parse_biren(text))) == EXPECTED[name]
