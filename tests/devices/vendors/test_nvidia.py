"""NVIDIA's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.nvidia import is_nvidia, parse_nvidia
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "nvidia/log.xml": (
        DeviceReading(
            "nvidia",
            name="NVIDIA H20",
            uuid="GPU-513536b6-7d19-9063-b049-1e69664bb298",
            serial="1650522003820",
            place="0000:3b:00.0",
            memory_mib=97871.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 870.0,
                NAMES.MEMORY_USED_MIB: 81250.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 830.174,
                NAMES.TEMPERATURE_MILLICELSIUS: 64000.0,
                NAMES.MEMORY_TEMPERATURE_MILLICELSIUS: 71000.0,
                NAMES.POWER_MILLIWATTS: 412530.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 500000.0,
                NAMES.CLOCK_MHZ: 1980.0,
                NAMES.MEMORY_CLOCK_MHZ: 2619.0,
                NAMES.THROTTLE_FLAGS: 3.0,
                NAMES.HOST_RECEIVE_KIB_PER_S: 2500.0,
                NAMES.HOST_TRANSMIT_KIB_PER_S: 4000.0,
                NAMES.PROCESS_COUNT: 1.0,
                NAMES.ECC_CORRECTED_COUNT: 7.0,
                NAMES.ECC_UNCORRECTED_COUNT: 1.0,
                NAMES.RETIRED_PAGE_COUNT: 3.0,
            },
            facts={
                "driver_version": "550.127.05",
                "firmware_version": "96.00.B0.00.02",
                "part_number": "2329-896-A1",
                "architecture": "Hopper",
            },
        ),
        DeviceReading(
            "nvidia",
            name="NVIDIA H20",
            uuid="GPU-0e715b45-bcef-1500-e2db-752724095700",
            serial="1650522003821",
            place="0000:86:00.0",
            memory_mib=97871.0,
            verdict=Verdict.FAILED,
            values={
                NAMES.MEMORY_USED_MIB: 0.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 0.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 38000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 500000.0,
                NAMES.CLOCK_MHZ: 345.0,
                NAMES.MEMORY_CLOCK_MHZ: 2619.0,
                NAMES.PROCESS_COUNT: 0.0,
            },
            facts={"driver_version": "550.127.05", "firmware_version": "96.00.B0.00.02", "architecture": "Hopper"},
        ),
    ),
    "nvidia/query.csv": (
        DeviceReading(
            "nvidia",
            name="NVIDIA H20",
            uuid="GPU-0e715b45-bcef-1500-e2db-752724095700",
            serial="1650522003821",
            place="0000:86:00.0",
            number="1",
            memory_mib=97871.0,
            verdict=Verdict.FAILED,
            values={
                NAMES.MEMORY_USED_MIB: 0.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 0.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 38000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 500000.0,
                NAMES.CLOCK_MHZ: 345.0,
                NAMES.MEMORY_CLOCK_MHZ: 2619.0,
                NAMES.THROTTLE_FLAGS: 0.0,
            },
            facts={"driver_version": "550.127.05"},
        ),
        DeviceReading(
            "nvidia",
            name="NVIDIA H20",
            uuid="GPU-513536b6-7d19-9063-b049-1e69664bb298",
            serial="1650522003820",
            place="0000:3b:00.0",
            number="0",
            memory_mib=97871.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 870.0,
                NAMES.MEMORY_USED_MIB: 81250.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 830.174,
                NAMES.TEMPERATURE_MILLICELSIUS: 64000.0,
                NAMES.MEMORY_TEMPERATURE_MILLICELSIUS: 71000.0,
                NAMES.POWER_MILLIWATTS: 412530.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 500000.0,
                NAMES.CLOCK_MHZ: 1980.0,
                NAMES.MEMORY_CLOCK_MHZ: 2619.0,
                NAMES.THROTTLE_FLAGS: 3.0,
            },
            facts={"driver_version": "550.127.05"},
        ),
    ),
    "nvidia/link_state.txt": (
        DeviceReading(
            "nvidia",
            name="NVIDIA H20",
            uuid="GPU-513536b6-7d19-9063-b049-1e69664bb298",
            number="0",
            values={NAMES.LINK_UP_COUNT: 2.0},
        ),
        DeviceReading(
            "nvidia",
            name="NVIDIA H20",
            uuid="GPU-0e715b45-bcef-1500-e2db-752724095700",
            number="1",
            values={NAMES.LINK_UP_COUNT: 0.0},
        ),
    ),
    "nvidia/link_errors.txt": (
        DeviceReading(
            "nvidia",
            name="NVIDIA H20",
            uuid="GPU-513536b6-7d19-9063-b049-1e69664bb298",
            number="0",
            values={NAMES.LINK_ERROR_COUNT: 6.0},
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_nvidia(text)
    assert tuple(map(round_reading, parse_nvidia(text))) == EXPECTED[name]
