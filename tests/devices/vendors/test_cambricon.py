"""Cambricon's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.cambricon import is_cambricon, parse_cambricon
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "cambricon/info.txt": (
        DeviceReading(
            "cambricon",
            name="MLU370-X8",
            uuid="6be20408-3434-4b3a-a4a7-73ba8ba85e0f",
            serial="512108480010",
            place="0000:4f:00.0",
            number="0",
            memory_mib=47392.0,
            verdict=Verdict.OK,
            values={
                NAMES.UTILIZATION_PERMILLE: 410.0,
                NAMES.MEMORY_USED_MIB: 11848.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 250.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 45000.0,
                NAMES.MEMORY_TEMPERATURE_MILLICELSIUS: 40000.0,
                NAMES.POWER_MILLIWATTS: 118000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 250000.0,
            },
            facts={"driver_version": "v4.20.18", "firmware_version": "v1.1.4"},
        ),
        DeviceReading(
            "cambricon",
            name="MLU370-X8",
            uuid="91f6f9b0-6c3f-4a05-9f0c-1f1b2f3c4d5e",
            serial="512108480011",
            place="0000:53:00.0",
            number="1",
            memory_mib=47392.0,
            verdict=Verdict.FAILED,
            values={
                NAMES.MEMORY_USED_MIB: 0.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 0.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 250000.0,
            },
            facts={"driver_version": "v4.20.18", "firmware_version": "v1.1.4"},
        ),
    ),
    "cambricon/info.json": (
        DeviceReading(
            "cambricon",
            name="MLU370-X8",
            uuid="6be20408-3434-4b3a-a4a7-73ba8ba85e0f",
            place="0000:4f:00.0",
            number="0",
            memory_mib=47392.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 410.0,
                NAMES.MEMORY_USED_MIB: 11848.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 250.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 45000.0,
            },
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_cambricon(text)
    assert tuple(map(round_reading, parse_cambricon(text))) == EXPECTED[name]


@pytest.mark.parametrize("text", ['{"CnmonInfo": 5}', '{"CnmonInfo": [5]}', '{"CnmonInfo":', '["CnmonInfo"]'])
def test_json_of_another_form_has_no_devices(text: str) -> None:
    assert parse_cambricon(text) == ()
