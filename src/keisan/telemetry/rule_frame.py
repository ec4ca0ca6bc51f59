"""What is taken of a frame: pure decisions on its head, its numbers and its values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keisan.domain.errors import InvalidInput, KeisanError, StateConflict
from keisan.domain.frame import FrameFault, FrameOutcome
from keisan.domain.inventory import InventoryMark
from keisan.domain.limits import (
    FRAME_DEVICES_MIN,
    FRAME_EARLY_MS_MAX,
    FRAME_LATE_MS_MAX,
    FRAME_PERIOD_MS_MAX,
    FRAME_PERIOD_MS_MIN,
)
from keisan.domain.sample import FIELD_INDEX, MISSING, SAMPLE_FIELDS, FrameHead, SampleName
from keisan.telemetry.sequence_set import SequenceSet
from keisan.telemetry.site_columns import PERIODS_MISSED_MAX
from keisan.wire.frame import Numbers, Values
from keisan.wire.inventory import Inventory

_LEAST = np.array([field.least for field in SAMPLE_FIELDS], np.int32)[:, None]
_MOST = np.array([field.most for field in SAMPLE_FIELDS], np.int32)[:, None]
_AGE = FIELD_INDEX[SampleName.AGE_MS]
_MEMORY_USED = FIELD_INDEX[SampleName.MEMORY_USED_MIB]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a frame is not taken: a fault to count, and the error to answer."""

    fault: FrameFault
    error: KeisanError


def find_refusal(
    head: FrameHead, numbers: Numbers, mark: InventoryMark, active_count: int, received_ms: int
) -> Refusal | None:
    """Return why a frame of a site whose inventory is at `mark` is not taken, None if it is.

    `received_ms` is the platform's wall clock in ms since 1970, and `active_count` the site's devices that are not retired.
    """
    if head.incarnation != mark.incarnation or head.inventory_version > mark.version:
        text = f"expected a frame under inventory {mark.incarnation or 'none'} up to version {mark.version}; send the inventory"
        return Refusal(FrameFault.UNKNOWN_INVENTORY, StateConflict(text))
    fault, text, field = _find_fault(head, numbers, mark, received_ms)
    if fault is None and len(numbers) < FRAME_DEVICES_MIN <= active_count:
        fault, field = FrameFault.TOO_SMALL, "device"
        text = f"at least {FRAME_DEVICES_MIN} devices from a site of {active_count}, got {len(numbers)}"
    return None if fault is None else Refusal(fault, InvalidInput(f"expected {text}", f"frame.{field}"))


def find_other_devices(
    head: FrameHead, numbers: Numbers, mark: InventoryMark, digests: Callable[[int], str]
) -> Refusal | None:
    """Return why a frame under an inventory that is known means other devices by its numbers, None if it does not.

    `digests` tells that of so many of the site's devices. An agent of an earlier release tells none, and is believed.
    """
    is_known = head.incarnation == mark.incarnation and head.inventory_version <= mark.version
    if not is_known or not head.device_digest:
        return None
    is_counted = not len(numbers) or int(numbers.max()) < head.device_count
    if is_counted and head.device_count <= mark.device_count and digests(head.device_count) == head.device_digest:
        return None
    text = f"expected the {mark.device_count} devices of inventory {mark.incarnation}, version {mark.version}; send the inventory"
    return Refusal(FrameFault.OTHER_DEVICES, StateConflict(text))


def judge_frame(head: FrameHead, seen: SequenceSet, newest: int) -> FrameOutcome:
    """Return what a frame is to a site of which these frames of the same inventory are kept, and `newest` is what is live."""
    if head.sequence in seen:
        return FrameOutcome.DUPLICATE
    return FrameOutcome.LIVE if head.sequence > newest else FrameOutcome.LATE


def is_old(head: FrameHead, received_ms: int) -> bool:
    """Tell whether a frame holds what is no news: whatever is in it would count as silent."""
    return head.sampled_at_ms < received_ms - PERIODS_MISSED_MAX * head.period_ms


def drop_wrong_values(numbers: Numbers, values: Values, inventory: Inventory) -> int:
    """Turn values that cannot be into missing ones, in place; return how many. More memory used than there is cannot be.

    A reading that is older than can be told is as old as can be told: missing would be fresh.
    """
    wrong = (values < _LEAST) | (values > _MOST)
    wrong &= values != MISSING
    memory_mib = inventory.memory_mib[numbers]
    wrong[_MEMORY_USED] |= (memory_mib > 0) & (values[_MEMORY_USED] > memory_mib)
    count = int(np.count_nonzero(wrong))
    if count:
        too_old = wrong[_AGE] & (values[_AGE] > 0)
        values[wrong] = MISSING
        values[_AGE, too_old] = SAMPLE_FIELDS[_AGE].most
    return count


def _find_fault(
    head: FrameHead, numbers: Numbers, mark: InventoryMark, received_ms: int
) -> tuple[FrameFault | None, str, str]:
    if not FRAME_PERIOD_MS_MIN <= head.period_ms <= FRAME_PERIOD_MS_MAX:
        text = f"a period of {FRAME_PERIOD_MS_MIN} to {FRAME_PERIOD_MS_MAX} ms, got {head.period_ms}"
        return FrameFault.WRONG_PERIOD, text, "head"
    if head.sampled_at_ms > received_ms + FRAME_EARLY_MS_MAX:
        return FrameFault.FROM_THE_FUTURE, "a stamp at most a minute ahead of the platform's clock", "head"
    if head.sampled_at_ms < received_ms - FRAME_LATE_MS_MAX:
        return FrameFault.TOO_LATE, f"a stamp of the last {FRAME_LATE_MS_MAX // 86_400_000} days", "head"
    if len(numbers) and (int(numbers[-1]) >= mark.device_count or not (numbers[1:] > numbers[:-1]).all()):
        return FrameFault.WRONG_NUMBERS, f"ascending numbers of devices below {mark.device_count}", "device"
    return None, "", ""
