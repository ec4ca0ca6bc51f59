"""What is not taken of a frame: each fault by its own name, and values that cannot be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.frame import FrameFault, FrameOutcome
from keisan.domain.inventory import InventoryMark, digest_devices
from keisan.domain.limits import FRAME_DEVICES_MIN, FRAME_EARLY_MS_MAX, FRAME_LATE_MS_MAX
from keisan.domain.sample import MISSING, SAMPLE_FIELDS, FrameHead
from keisan.telemetry.rule_frame import drop_wrong_values, find_other_devices, find_refusal, is_old, judge_frame
from keisan.telemetry.sequence_set import SequenceSet
from tests.telemetry.fleet import NOON, PERIOD_MS, build_head, build_inventory

MARK = InventoryMark("first", 3, 1000)
ALL = np.arange(1000, dtype=np.uint32)


def find(head: FrameHead, numbers: np.ndarray = ALL, active_count: int = 1000) -> FrameFault | None:
    refusal = find_refusal(head, numbers, MARK, active_count, NOON.wall_ms)
    return None if refusal is None else refusal.fault


@pytest.mark.parametrize(
    ("head", "numbers", "fault"),
    [
        (build_head(1), ALL, None),
        (build_head(1, inventory_version=3), ALL, None),
        (build_head(1, inventory_version=4), ALL, FrameFault.UNKNOWN_INVENTORY),
        (build_head(1, incarnation="other"), ALL, FrameFault.UNKNOWN_INVENTORY),
        (build_head(1, period_ms=999), ALL, FrameFault.WRONG_PERIOD),
        (build_head(1, period_ms=60_001), ALL, FrameFault.WRONG_PERIOD),
        (build_head(1, NOON.wall_ms + FRAME_EARLY_MS_MAX), ALL, None),
        (build_head(1, NOON.wall_ms + FRAME_EARLY_MS_MAX + 1), ALL, FrameFault.FROM_THE_FUTURE),
        (build_head(1, NOON.wall_ms - FRAME_LATE_MS_MAX), ALL, None),
        (build_head(1, NOON.wall_ms - FRAME_LATE_MS_MAX - 1), ALL, FrameFault.TOO_LATE),
        (build_head(1), np.arange(1, 1001, dtype=np.uint32), FrameFault.WRONG_NUMBERS),
        (build_head(1), ALL[::-1].copy(), FrameFault.WRONG_NUMBERS),
        (build_head(1), np.repeat(ALL[:500], 2), FrameFault.WRONG_NUMBERS),
        (build_head(1), ALL[: FRAME_DEVICES_MIN - 1], FrameFault.TOO_SMALL),
        (build_head(1), ALL[:FRAME_DEVICES_MIN], None),
    ],
)
def test_each_fault_has_its_name(head: FrameHead, numbers: np.ndarray, fault: FrameFault | None) -> None:
    assert find(head, numbers) is fault


def test_a_small_site_sends_what_it_has() -> None:
    assert find(build_head(1), ALL[:8], active_count=FRAME_DEVICES_MIN - 1) is None
    assert find(build_head(1), ALL[:0], active_count=8) is None


def test_an_unknown_inventory_is_a_conflict_and_all_else_the_frame_s_own_fault() -> None:
    conflict = find_refusal(build_head(1, incarnation="other"), ALL, MARK, 1000, NOON.wall_ms)
    wrong = find_refusal(build_head(1, period_ms=1), ALL, MARK, 1000, NOON.wall_ms)
    assert conflict is not None
    assert wrong is not None
    assert isinstance(conflict.error, StateConflict)
    assert isinstance(wrong.error, InvalidInput)
    assert wrong.error.field == "frame.head"


def digest(count: int) -> str:
    return digest_devices(f"device-{number}" for number in range(count))


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        # Agents of before tell none, and are believed.
        (build_head(1), None),
        (build_head(1, device_count=1000, device_digest=digest(1000)), None),
        (build_head(1, device_count=1000, device_digest=digest(999)), FrameFault.OTHER_DEVICES),
        (build_head(1, device_count=1001, device_digest=digest(1000)), FrameFault.OTHER_DEVICES),
        (build_head(1, device_count=1001, device_digest=digest(1001)), FrameFault.OTHER_DEVICES),
        # Numbers that no digest vouches for.
        (build_head(1, device_count=999, device_digest=digest(999)), FrameFault.OTHER_DEVICES),
        (build_head(1, device_count=0, device_digest="x"), FrameFault.OTHER_DEVICES),
        # What nobody knows is said first.
        (build_head(1, incarnation="other", device_count=1, device_digest="x"), None),
        (build_head(1, inventory_version=4, device_count=1, device_digest="x"), None),
    ],
)
def test_a_frame_that_means_other_devices_is_a_conflict(head: FrameHead, fault: FrameFault | None) -> None:
    refusal = find_other_devices(head, ALL, MARK, digest)
    assert (refusal and refusal.fault) is fault
    assert refusal is None or isinstance(refusal.error, StateConflict)


def test_a_frame_of_some_devices_vouches_for_those_before_them() -> None:
    some = np.array([3, 9], np.uint32)
    for count, is_taken in ((1000, True), (10, True), (9, False)):
        head = build_head(1, device_count=count, device_digest=digest(count))
        assert (find_other_devices(head, some, MARK, digest) is None) is is_taken
    assert find_other_devices(build_head(1, device_count=5, device_digest=digest(5)), some[:0], MARK, digest) is None


def test_the_newest_is_live_older_ones_are_late_and_known_ones_are_duplicates() -> None:
    seen = SequenceSet()
    outcomes = []
    for sequence in (5, 7, 6, 7, 5, 8):
        outcomes.append(judge_frame(build_head(sequence), seen, seen.newest))
        seen.add(sequence)
    assert outcomes == [
        FrameOutcome.LIVE,
        FrameOutcome.LIVE,
        FrameOutcome.LATE,
        FrameOutcome.DUPLICATE,
        FrameOutcome.DUPLICATE,
        FrameOutcome.LIVE,
    ]


def test_what_is_live_and_not_kept_is_late_when_it_comes_again() -> None:
    seen = SequenceSet()
    seen.add(3)
    assert judge_frame(build_head(5), seen, 5) is FrameOutcome.LATE
    assert judge_frame(build_head(6), seen, 5) is FrameOutcome.LIVE
    assert judge_frame(build_head(3), seen, 5) is FrameOutcome.DUPLICATE


def test_a_frame_is_old_when_its_devices_would_be_silent() -> None:
    assert not is_old(build_head(1, NOON.wall_ms - 3 * PERIOD_MS), NOON.wall_ms)
    assert is_old(build_head(1, NOON.wall_ms - 3 * PERIOD_MS - 1), NOON.wall_ms)


@given(st.integers(0, 2**32 - 1))
def test_values_out_of_bounds_become_missing_and_all_others_stay(seed: int) -> None:
    source, inventory = np.random.default_rng(seed), build_inventory([0] * 50)
    values = source.integers(MISSING, 2**31 - 1, (len(SAMPLE_FIELDS), 50), dtype=np.int32)
    values[source.random(values.shape) < 0.3] = source.integers(0, 1000)
    before = values.copy()
    dropped = drop_wrong_values(np.arange(50, dtype=np.uint32), values, inventory)
    expected = 0
    for row, field in enumerate(SAMPLE_FIELDS):
        for number in range(50):
            value = int(before[row, number])
            # Device n of these inventories has 1000 + n MiB.
            most = 1000 + number if field.name == "memory_used_mib" else field.most
            is_wrong = value != MISSING and not field.least <= value <= most
            # Of a reading that is too old to tell its age nothing fresh is made.
            stands_for_it = field.most if field.name == "age_ms" and value > 0 else MISSING
            assert int(values[row, number]) == (stands_for_it if is_wrong else value)
            expected += is_wrong
    assert dropped == expected


def test_memory_of_a_device_that_tells_none_is_not_bounded_by_it() -> None:
    inventory = build_inventory([0])
    inventory.memory_mib[0] = 0
    values = np.full((len(SAMPLE_FIELDS), 1), 5000, np.int32)
    drop_wrong_values(np.zeros(1, np.uint32), values, inventory)
    assert values[3, 0] == 5000
