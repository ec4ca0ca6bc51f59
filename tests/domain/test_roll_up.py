"""The verdict on what has devices; what is left of a roll-up that nobody tells any more; sums of sums."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.roll_up import (
    SUMMED_FIELDS,
    CountName,
    FieldSum,
    Level,
    RollUp,
    judge_group,
    merge_rollups,
    silence_rollup,
)
from keisan.domain.verdict import Verdict
from tests.factories import NOW

COUNTS = dict.fromkeys(CountName, 7) | {CountName.DEVICES: 10, CountName.REPORTING: 9, CountName.OK: 8}
ROLL_UP = RollUp(
    level=Level.REGION,
    name="CN-SX",
    region="CN-SX",
    provider_id=None,
    site_id=None,
    verdict=Verdict.OK,
    counts=COUNTS,
    sums=dict.fromkeys(SUMMED_FIELDS, FieldSum(100, 9)),
    temperature_most_millicelsius=70_000,
    proven_at=NOW,
    sampled_at=None,
)


@pytest.mark.parametrize(
    ("ok", "failed", "reporting", "verdict"),
    [
        (0, 0, 0, Verdict.UNKNOWN),
        (5, 0, 5, Verdict.OK),
        (1, 4, 5, Verdict.OK),
        (0, 5, 5, Verdict.FAILED),
        # One of those that report does not tell how it is.
        (0, 4, 5, Verdict.UNKNOWN),
    ],
)
def test_a_group_is_judged_by_those_that_report(ok: int, failed: int, reporting: int, verdict: Verdict) -> None:
    assert judge_group(ok, failed, reporting) is verdict


def test_of_who_is_silent_the_devices_stay_and_all_are_unknown() -> None:
    left = silence_rollup(ROLL_UP)
    assert left.verdict is Verdict.UNKNOWN
    assert {name: found for name, found in left.counts.items() if found} == {
        CountName.DEVICES: 10,
        CountName.UNKNOWN: 10,
        CountName.CORDONED: 7,
        CountName.MEMORY_MIB: 7,
        CountName.NOMINAL_GFLOPS: 7,
        CountName.NOMINAL_DEVICES: 7,
        CountName.MEASURED_GFLOPS: 7,
        CountName.MEASURED_DEVICES: 7,
    }
    # A sum over no device is not nought: it is not known.
    assert set(left.sums.values()) == {FieldSum(0, 0)}
    assert (left.temperature_most_millicelsius, left.proven_at) == (None, NOW)


def test_sums_of_roll_ups_are_those_of_their_devices() -> None:
    later = NOW + timedelta(seconds=3)
    other = replace(ROLL_UP, temperature_most_millicelsius=None, proven_at=None, sampled_at=later)
    whole = merge_rollups([ROLL_UP, other, silence_rollup(ROLL_UP)], Level.PLATFORM, "")
    assert (whole.level, whole.name, whole.region) == (Level.PLATFORM, "", "")
    assert (whole.counts[CountName.DEVICES], whole.counts[CountName.OK], whole.counts[CountName.UNKNOWN]) == (
        30,
        16,
        24,
    )
    assert set(whole.sums.values()) == {FieldSum(200, 18)}
    assert (whole.temperature_most_millicelsius, whole.proven_at, whole.sampled_at) == (70_000, NOW, later)
    assert whole.verdict is Verdict.OK
    assert merge_rollups([silence_rollup(ROLL_UP)] * 2, Level.REGION, "CN-SX").verdict is Verdict.UNKNOWN
