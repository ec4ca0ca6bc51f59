"""Kunlunxin's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.kunlunxin import is_kunlunxin, parse_kunlunxin
from keisan.domain.sample import SampleName
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "kunlunxin/log.txt": (
        DeviceReading(
            "kunlunxin",
            name="P800 OAM",
            uuid="GPU-420716f2-9928-5108-a5b2-e6b7cf36b37c",
            serial="02K15K624CV00304",
            place="0000:01:00.0",
            memory_mib=98304.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 720.0,
                NAMES.MEMORY_USED_MIB: 90440.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 920.003,
                NAMES.TEMPERATURE_MILLICELSIUS: 56000.0,
                NAMES.POWER_MILLIWATTS: 276000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 350000.0,
                NAMES.CLOCK_MHZ: 1450.0,
                NAMES.ECC_CORRECTED_COUNT: 4.0,
                NAMES.ECC_UNCORRECTED_COUNT: 1.0,
            },
            facts={
                "driver_version": "5.0.21.26",
                "firmware_version": "1.0.2.14.1.54",
                "part_number": "B00100300110211",
                "architecture": "KL3",
            },
        ),
        DeviceReading(
            "kunlunxin",
            name="P800 OAM",
            uuid="GPU-f396486d-9850-50e4-81c4-50f2e9f6ca87",
            serial="02K15K624CV0030V",
            place="0000:02:00.0",
            memory_mib=98304.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 0.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 0.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 39000.0,
                NAMES.POWER_MILLIWATTS: 86000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 350000.0,
                NAMES.PROCESS_COUNT: 0.0,
            },
            facts={"driver_version": "5.0.21.26"},
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_kunlunxin(text)
    assert tuple(map(round_reading, parse_kunlunxin(text))) == EXPECTED[name]
