"""Moore Threads' texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.mthreads import is_mthreads, parse_mthreads
from keisan.domain.sample import SampleName
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "mthreads/log.json": (
        DeviceReading(
            "mthreads",
            name="MTT S4000",
            uuid="2b7d56ad-43c9-89d9-703c-03c503e7fad4",
            serial="PEMUB1001234",
            place="0000:08:00.0",
            number="0",
            memory_mib=49152.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 630.0,
                NAMES.MEMORY_USED_MIB: 24576.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 500.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 58000.0,
                NAMES.POWER_MILLIWATTS: 231440.0,
                NAMES.CLOCK_MHZ: 1750.0,
                NAMES.MEMORY_CLOCK_MHZ: 8000.0,
            },
            facts={"driver_version": "3.0.0"},
        ),
        DeviceReading(
            "mthreads",
            name="MTT S4000",
            uuid="3c8e67be-54da-9aea-814d-14d614f80be5",
            place="0000:09:00.0",
            number="1",
            memory_mib=49152.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 0.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 0.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 44000.0,
            },
            facts={"driver_version": "3.0.0"},
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_mthreads(text)
    assert tuple(map(round_reading, parse_mthreads(text))) == EXPECTED[name]


@pytest.mark.parametrize("text", ["[]", "{", '{"GPU": 1}', '{"GPU": [1]}', '{"GPU": [{"Product Name": "Other"}]}'])
def test_other_json_is_not_of_the_tool(text: str) -> None:
    assert not is_mthreads(text)
