"""Enflame's texts, each with all that it tells."""

import pytest

from keisan.devices.tool import DeviceReading
from keisan.devices.vendors.enflame import is_enflame, parse_enflame
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from tests.devices.sample_files import read_sample
from tests.devices.vendors.reading import round_reading

NAMES = SampleName

EXPECTED = {
    "enflame/log.txt": (
        DeviceReading(
            "enflame",
            name="S60",
            uuid="TPUH74190604",
            serial="C0AA640520685",
            place="0000:17:00.0",
            number="0",
            memory_mib=42976.0,
            verdict=Verdict.OK,
            values={
                NAMES.UTILIZATION_PERMILLE: 885.0,
                NAMES.MEMORY_USED_MIB: 21488.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 500.0,
                NAMES.TEMPERATURE_MILLICELSIUS: 45000.0,
                NAMES.POWER_MILLIWATTS: 204000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 300000.0,
                NAMES.MEMORY_CLOCK_MHZ: 7000.0,
                NAMES.HOST_RECEIVE_KIB_PER_S: 7168.0,
                NAMES.HOST_TRANSMIT_KIB_PER_S: 2048.0,
                NAMES.ECC_UNCORRECTED_COUNT: 1.0,
            },
            facts={"driver_version": "1.4.3.4", "part_number": "EFB-0088000-00", "made_on": "2024-10-6"},
        ),
        DeviceReading(
            "enflame",
            name="S60",
            uuid="TPUH74190605",
            serial="C0AA640520686",
            place="0000:b1:00.0",
            number="1",
            memory_mib=42976.0,
            verdict=Verdict.FAILED,
            values={NAMES.MEMORY_USED_MIB: 0.0, NAMES.MEMORY_UTILIZATION_PERMILLE: 0.0},
        ),
    ),
    "enflame/log_old.txt": (
        DeviceReading(
            "enflame",
            name="S60",
            uuid="TR1V57100501",
            serial="C0AAD40510049",
            place="0000:b1:00.0",
            number="7",
            memory_mib=42976.0,
            verdict=Verdict.OK,
            values={
                NAMES.UTILIZATION_PERMILLE: 0.0,
                NAMES.MEMORY_USED_MIB: 1129.0,
                NAMES.MEMORY_UTILIZATION_PERMILLE: 26.27,
                NAMES.TEMPERATURE_MILLICELSIUS: 41000.0,
                NAMES.POWER_MILLIWATTS: 102000.0,
                NAMES.POWER_LIMIT_MILLIWATTS: 300000.0,
                NAMES.ECC_UNCORRECTED_COUNT: 0.0,
            },
            facts={"driver_version": "1.2.4.12"},
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_text_tells_all_of_this_and_no_more(name: str) -> None:
    text = read_sample(name)
    assert is_enflame(text)
    assert tuple(map(round_reading, parse_enflame(text))) == EXPECTED[name]
