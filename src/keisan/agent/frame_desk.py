"""Where a site's frames get their heads: the inventory they count by, their sequence, and how many devices go into one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from keisan.agent.frame_number import FrameNumbers
from keisan.agent.inventory import InventoryFile
from keisan.domain.errors import InvalidInput
from keisan.domain.limits import FRAME_DEVICES_MAX, FRAME_DEVICES_MIN
from keisan.domain.sample import FrameHead
from keisan.kit.observe import write_warning
from keisan.telemetry.node_rows import choose_numbers
from keisan.wire.frame import Numbers, Values, decode_frame, encode_frame


@dataclass(frozen=True, slots=True)
class FrameDraft:
    """What was read of all devices that had a number at one moment; it gets its head when it is sent, or held back.

    With `is_sparse` devices of which nothing is told have no rows.
    """

    values: Values
    sampled_at_ms: int
    period_ms: int
    is_sparse: bool = False


@dataclass(slots=True)
class FrameDesk:
    """One site's. A platform, or what is in between, may refuse a frame as too large: from then on they are made smaller."""

    inventory: InventoryFile
    numbers: FrameNumbers
    devices_max: int = FRAME_DEVICES_MAX

    def write(self, draft: FrameDraft) -> tuple[bytes, ...]:
        """Return a draft as frames of about `devices_max` devices, each newer than all before.

        None is smaller than the platform takes, so where that forbids it they are larger.
        """
        count = draft.values.shape[1]
        head = FrameHead(
            incarnation=self.inventory.incarnation,
            inventory_version=self.inventory.version,
            sequence=0,
            sampled_at_ms=draft.sampled_at_ms,
            period_ms=draft.period_ms,
            device_count=count,
            device_digest=self.inventory.digest(count),
        )
        numbers = choose_numbers(draft.values) if draft.is_sparse else np.arange(count, dtype=np.uint32)
        values = draft.values[:, numbers] if draft.is_sparse else draft.values
        parts = max(1, min(-(-len(numbers) // self.devices_max), len(numbers) // FRAME_DEVICES_MIN))
        return tuple(
            encode_frame(replace(part, sequence=self.numbers.take()), devices, told)
            for part, devices, told in _cut(head, numbers, values, parts)
        )

    def split(self, frame: bytes) -> tuple[bytes, bytes] | None:
        """Return a frame that is too large as two, None if it cannot be: the platform takes no parts smaller than it says.

        Later frames are made as small. Both parts have the frame's number: the second is given another before it is sent.
        """
        head, numbers, values = decode_frame(frame)
        if len(numbers) < 2 * FRAME_DEVICES_MIN:
            return None
        self.devices_max = min(self.devices_max, -(-len(numbers) // 2))
        first, second = _cut(head, numbers, values, 2)
        return encode_frame(*first), encode_frame(*second)

    def number(self, frame: bytes, *, is_newest: bool) -> bytes | None:
        """Return a frame with a number of its own: a new one, or for a late frame one that was left out before, if any is left."""
        sequence = self.numbers.take() if is_newest else self.numbers.take_spare()
        if sequence is None:
            return None
        head, numbers, values = decode_frame(frame)
        return encode_frame(replace(head, sequence=sequence), numbers, values)

    def follow(self, frame: bytes) -> bytes | None:
        """Return a frame that was held back under the inventory as it is now; None for one whose devices are not known any more.

        It may be of another incarnation, or of a disk that was put back since: the digest says whether its numbers still
        mean the same devices.
        """
        try:
            head, numbers, values = decode_frame(frame)
        except InvalidInput as fault:
            write_warning("frame.damaged", outside=fault.outside)
            return None
        is_known = head.device_count <= len(self.inventory.rows)
        if not is_known or self.inventory.digest(head.device_count) != head.device_digest:
            return None
        if head.incarnation == self.inventory.incarnation and head.inventory_version <= self.inventory.version:
            return frame
        now = replace(head, incarnation=self.inventory.incarnation, inventory_version=self.inventory.version)
        return encode_frame(now, numbers, values)


def _cut(head: FrameHead, numbers: Numbers, values: Values, parts: int) -> Iterator[tuple[FrameHead, Numbers, Values]]:
    """Yield a frame's parts. History takes two frames of one moment for one, so each part's is some milliseconds later."""
    ends = [len(numbers) * part // parts for part in range(parts + 1)]
    for begin, end in pairwise(ends):
        later_ms = (int(numbers[begin]) - int(numbers[0])) // FRAME_DEVICES_MIN
        yield replace(head, sampled_at_ms=head.sampled_at_ms + later_ms), numbers[begin:end], values[:, begin:end]
