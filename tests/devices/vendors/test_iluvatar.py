"""Iluvatar's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.iluvatar import is_iluvatar, parse_iluvatar
from keisan.domain.sample import SampleName
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "iluvatar/log.xml": (
        DeviceReading(
            "iluvatar",
            name="Iluvatar BI-V150",
            uuid="GPU-1ac807aa-cbcd-5579-8591-d59d436d6eca",
            serial="24032501A0033",
            place="0000:0c:00.0",
            memory_mib=32768.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 970.0,
                NAMES.MEMORY_USED_MIB: 27780.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 847.778,
                NAMES.TEMPERATURE_MILLICELSIUS: 64000.0,
                NAMES.POWER_MILLIWATTS: 137000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 175000.0,
                NAMES.CLOCK_MHZ: 1500.0,
                NAMES.MEMORY_CLOCK_MHZ: 1600.0,
            },
            facts={"driver_version": "4.4.0"},
        ),
        DeviceReading(
            "iluvatar",
            name="Iluvatar BI-V150",
            uuid="GPU-2bd807aa-cbcd-5579-8591-d59d436d6ecb",
            place="0000:0e:00.0",
            memory_mib=32768.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 64.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 1.953,
                NAMES.TEMPERATURE_MILLICELSIUS: 36000.0,
                NAMES.POWER_MILLIWATTS: 96000.0,
            },
            facts={"driver_version": "4.4.0"},
        ),
    ),
    "iluvatar/query.csv": (
        DeviceReading(
            "iluvatar",
            name="Iluvatar MR-V100",
            uuid="GPU-1ac807aa-cbcd-5579-8591-d59d436d6eca",
            serial="24032501A0033",
            place="0000:0c:00.0",
            number="0",
            memory_mib=32768.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 27996.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 854.37,
                NAMES.TEMPERATURE_MILLICELSIUS: 36000.0,
                NAMES.POWER_MILLIWATTS: 37000.0,
            },
            facts={"driver_version": "4.4.0"},
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_iluvatar(text)
    assert tuple(map(round_reading, parse_iluvatar(text))) == EXPECTED[name]
