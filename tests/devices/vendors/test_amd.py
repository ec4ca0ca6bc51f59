"""AMD's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.amd import is_amd, parse_amd
from keisan.domain.sample import SampleName
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "amd/list.json": (
        DeviceReading("amd", uuid="c8ff74a1-0000-1000-8044-3ba6c0abe8f3", place="0000:05:00.0", number="0"),
        DeviceReading("amd", uuid="c1ff74a1-0000-1000-80f0-1b2a1f3a7d11", place="0000:26:00.0", number="1"),
    ),
    "amd/static.json": (
        DeviceReading(
            "amd",
            name="AMD Instinct MI300X",
            serial="0x443BA6C0ABE8F3",
            place="0000:05:00.0",
            number="0",
            memory_mib=196592.0,
            facts={
                "driver_version": "6.8.5",
                "firmware_version": "022.040.003.041.000001",
                "part_number": "113-M3000100-102",
                "device_id": "0x74a1",
                "architecture": "gfx942",
            },
        ),
        DeviceReading(
            "amd",
            name="AMD Instinct MI300X",
            serial="692251001125",
            place="0000:26:00.0",
            number="1",
            memory_mib=196592.0,
            facts={"driver_version": "6.8.5", "device_id": "0x74a1"},
        ),
    ),
    "amd/metric.json": (
        DeviceReading(
            "amd",
            number="0",
            memory_mib=196592.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 930.0,
                NAMES.MEMORY_USED_MIB: 98296.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 500.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 71000.0,
                NAMES.MEMORY_TEMPERATURE_MILLICELSIUS: 58000.0,
                NAMES.POWER_MILLIWATTS: 612000.0,
                NAMES.CLOCK_MHZ: 2105.0,
                NAMES.MEMORY_CLOCK_MHZ: 1300.0,
                NAMES.THROTTLE_FLAGS: 8.0,
            },
        ),
        DeviceReading(
            "amd",
            number="1",
            memory_mib=196592.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 283.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 1.44,
                NAMES.TEMPERATURE_MILLICELSIUS: 35000.0,
                NAMES.MEMORY_TEMPERATURE_MILLICELSIUS: 32000.0,
                NAMES.POWER_MILLIWATTS: 131000.0,
                NAMES.CLOCK_MHZ: 132.0,
                NAMES.MEMORY_CLOCK_MHZ: 900.0,
                NAMES.THROTTLE_FLAGS: 0.0,
            },
        ),
    ),
    "amd/metric_dear.json": (
        DeviceReading(
            "amd",
            number="0",
            values={
                NAMES.ENERGY_KILOJOULES: 5042.167,
                NAMES.LINK_ERROR_COUNT: 3.0,
                NAMES.ECC_CORRECTED_COUNT: 12.0,
                NAMES.ECC_UNCORRECTED_COUNT: 1.0,
            },
        ),
        DeviceReading(
            "amd",
            number="1",
            values={
                NAMES.ENERGY_KILOJOULES: 0.012,
                NAMES.LINK_ERROR_COUNT: 0.0,
                NAMES.ECC_CORRECTED_COUNT: 0.0,
                NAMES.ECC_UNCORRECTED_COUNT: 0.0,
            },
        ),
    ),
    "amd/rocm.json": (
        DeviceReading(
            "amd",
            name="AMD Instinct MI300X",
            uuid="0x443ba6c0abe8f3",
            serial="692251001124",
            place="0000:05:00.0",
            number="0",
            memory_mib=196592.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 930.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 500.0,
                NAMES.MEMORY_USED_MIB: 98296.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 64000.0,
                NAMES.MEMORY_TEMPERATURE_MILLICELSIUS: 54000.0,
                NAMES.POWER_MILLIWATTS: 612000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 750000.0,
                NAMES.CLOCK_MHZ: 2105.0,
                NAMES.MEMORY_CLOCK_MHZ: 1300.0,
            },
            facts={
                "model": "0x74a1",
                "device_id": "0x74a1",
                "firmware_version": "113-M3000100-102",
                "architecture": "gfx942",
            },
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_amd(text)
    assert tuple(map(round_reading, parse_amd(text))) == EXPECTED[name]


@pytest.mark.parametrize("text", ["[1]", '[{"gpu": "x"}]', '{"gpu_data": 1}', '{"gpu": 0}', "[", "gpu"])
def test_other_json_is_not_of_the_tool(text: str) -> None:
    assert not is_amd(text)
    assert parse_amd(text) == ()
