"""MetaX's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.metax import is_metax, parse_metax
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "metax/list.txt": (
        DeviceReading(
            "metax",
            name="MXC500",
            uuid="GPU-e702f06b-bbd6-bc06-5196-90a5554a24ba",
            place="0000:08:00.0",
            number="0",
            verdict=Verdict.OK,
        ),
        DeviceReading(
            "metax",
            name="MXC500",
            place="0000:09:00.0",
            number="1",
            verdict=Verdict.FAILED,
            facts={"unavailable_reason": "MetaX Sysfs File Unaccessible"},
        ),
    ),
    "metax/table.txt": (
        DeviceReading(
            "metax",
            name="MetaX C500",
            place="0000:08:00.0",
            number="0",
            memory_mib=65536.0,
            verdict=Verdict.OK,
            values={
                NAMES.UTILIZATION_PERMILLE: 760.0,
                NAMES.MEMORY_USED_MIB: 32768.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 500.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 55000.0,
                NAMES.POWER_MILLIWATTS: 248000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 350000.0,
            },
            facts={"driver_version": "2.14.8"},
        ),
    ),
    "metax/table_old.txt": (
        DeviceReading(
            "metax",
            name="MXC550",
            place="0000:2a:00.0",
            number="0",
            memory_mib=65536.0,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 810.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 12.36,
                NAMES.TEMPERATURE_MILLICELSIUS: 31000.0,
                NAMES.POWER_MILLIWATTS: 44000.0,
            },
            facts={"driver_version": "2.5.014"},
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_metax(text)
    assert tuple(map(round_reading, parse_metax(text))) == EXPECTED[name]
