"""gpustack-runtime's list: makers by what it says, nought that may be nothing left out."""

import pytest

from keisan.devices.vendors.gpustack import is_gpustack, parse_gpustack
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from tests.devices.sample_files import read_sample


def test_devices_are_their_makers() -> None:
    nvidia, ascend = parse_gpustack(read_sample("gpustack/detect.txt"))
    assert (nvidia.vendor, nvidia.name, nvidia.uuid) == (
        "nvidia",
        "NVIDIA H20",
        "GPU-513536b6-7d19-9063-b049-1e69664bb298",
    )
    assert (nvidia.place, nvidia.memory_mib, nvidia.verdict) == ("0000:3b:00.0", 97871, Verdict.OK)
    assert nvidia.values == pytest.approx(
        {
            SampleName.UTILIZATION_PERMILLE: 630,
            SampleName.MEMORY_USED_MIB: 90112,
            SampleName.MEMORY_UTILIZATION_PERMILLE: 920.7,
            SampleName.TEMPERATURE_MILLICELSIUS: 47_000,
            SampleName.POWER_MILLIWATTS: 312_000,
            SampleName.POWER_LIMIT_MILLIWATTS: 500_000,
        }
    )
    assert nvidia.facts["driver_version"] == "550.127.05"
    assert (ascend.vendor, ascend.verdict) == ("ascend", Verdict.FAILED)
    assert [value for value in ascend.values.values() if value is not None] == []


def test_an_empty_list_is_its_own_by_how_it_is_printed() -> None:
    assert is_gpustack(read_sample("gpustack/none.txt"))
    assert parse_gpustack(read_sample("gpustack/none.txt")) == ()
    assert not is_gpustack("[]")
    assert not is_gpustack('\x1b[2J\x1b[H[{"a": 1}]')
