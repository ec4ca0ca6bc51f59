"""Simulated values: the same from the same seed, always within bounds, and faults come and go."""

import numpy as np

from keisan.devices.simulated_sampler import FaultRates, SimulatedChip, SimulatedSampler
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, SAMPLE_FIELDS, SampleName
from keisan.domain.verdict import Verdict

CHIPS = [SimulatedChip(98_304, 400_000, 18)] * 500
FAULTS = FaultRates(failure=0.01, loss=0.01, link=0.01, corrected=0.1, readings=3)


def test_one_seed_gives_one_story() -> None:
    first, second, other = (SimulatedSampler(CHIPS, seed, FAULTS) for seed in (1, 1, 2))
    differing = 0
    for _ in range(5):
        (numbers, values), (again_numbers, again) = (sampler.read(10, is_dear=True) for sampler in (first, second))
        assert np.array_equal(numbers, again_numbers)
        assert np.array_equal(values, again)
        differing += not np.array_equal(other.read(10, is_dear=True)[1], values)
    assert differing == 5


def test_values_keep_their_bounds_and_dear_ones_come_when_due() -> None:
    sampler = SimulatedSampler(CHIPS, 3, FAULTS)
    for reading in range(50):
        _, values = sampler.read(10, is_dear=reading % 6 == 0)
        for field, row in zip(SAMPLE_FIELDS, values, strict=True):
            if field.is_dear and reading % 6:
                assert (row == MISSING).all()
            else:
                assert row.min() >= field.least
                assert row.max() <= field.most
        assert (values[FIELD_INDEX[SampleName.MEMORY_USED_MIB]] <= 98_304).all()


def test_devices_fail_get_lost_and_come_back() -> None:
    sampler = SimulatedSampler(CHIPS, 4, FAULTS)
    failed, present = [], []
    for _ in range(40):
        numbers, values = sampler.read(10, is_dear=False)
        present.append(len(numbers))
        failed.append(int((values[FIELD_INDEX[SampleName.HEALTH]] == HEALTH_CODES[Verdict.FAILED]).sum()))
    assert max(failed) > 0
    assert min(present) < 500
    # Some of those that were gone are back: 500 devices, 40 readings, one in a hundred lost for three readings each.
    assert present[-1] > 500 - sum(500 - count for count in present)


def test_a_device_without_links_never_has_fewer_than_none() -> None:
    sampler = SimulatedSampler([SimulatedChip(1024, 300_000, 0)], 1, FaultRates(failure=0, loss=0, link=1, corrected=0))
    _, values = sampler.read(1, is_dear=True)
    assert values[FIELD_INDEX[SampleName.LINK_UP_COUNT]].tolist() == [0]
