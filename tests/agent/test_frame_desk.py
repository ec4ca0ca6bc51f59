"""Heads of frames, and frames in parts: every device once, numbers of their own, and nothing smaller than the platform takes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.agent.frame_desk import FrameDesk, FrameDraft
from keisan.agent.frame_number import SPARE_NUMBERS, FrameNumbers
from keisan.agent.inventory import InventoryFile
from keisan.domain.inventory import digest_devices
from keisan.domain.limits import FRAME_DEVICES_MIN
from keisan.domain.sample import SampleName
from keisan.wire.frame import decode_frame
from tests.agent.test_inventory import report
from tests.factories import FixedClock


def build_desk(folder: Path, count: int) -> FrameDesk:
    inventory = InventoryFile(folder / "inventory.json")
    inventory.follow(report(f"d{number}") for number in range(count))
    return FrameDesk(inventory, FrameNumbers(folder / "frames.json", FixedClock()))


def build_draft(count: int) -> FrameDraft:
    values = np.arange(len(SampleName) * count, dtype=np.int32).reshape(len(SampleName), count)
    return FrameDraft(values, 1_700_000_000_000, 10_000)


def join(frames: list[bytes]) -> tuple[list[int], np.ndarray]:
    found = [decode_frame(frame) for frame in frames]
    numbers = np.concatenate([each[1] for each in found])
    return numbers.tolist(), np.concatenate([each[2] for each in found], axis=1)


@given(st.integers(1, 3000), st.integers(FRAME_DEVICES_MIN, 4000))
def test_parts_hold_each_device_once_and_differ_in_number_and_moment(
    tmp_path_factory: pytest.TempPathFactory, count: int, devices_max: int
) -> None:
    desk = build_desk(tmp_path_factory.mktemp("desk"), 1)
    desk.inventory.rows *= count
    desk.devices_max = devices_max
    draft = build_draft(count)
    frames = list(desk.write(draft))
    numbers, values = join(frames)
    assert numbers == list(range(count))
    assert np.array_equal(values, draft.values)
    heads = [decode_frame(frame)[0] for frame in frames]
    sequences = [head.sequence for head in heads]
    assert sequences == list(range(sequences[0], sequences[0] + len(heads)))
    assert len({head.sampled_at_ms for head in heads}) == len(heads)
    # A second at most, of ten that a period has.
    assert heads[-1].sampled_at_ms - heads[0].sampled_at_ms < 1000
    assert {head.device_count for head in heads} == {count}
    sizes = [len(decode_frame(frame)[1]) for frame in frames]
    assert min(sizes) >= min(count, FRAME_DEVICES_MIN)
    assert max(sizes) <= max(devices_max, 2 * FRAME_DEVICES_MIN)


def test_a_head_says_which_devices_it_counts(tmp_path: Path) -> None:
    desk = build_desk(tmp_path, 3)
    [frame] = desk.write(build_draft(3))
    head, _, _ = decode_frame(frame)
    assert (head.incarnation, head.inventory_version) == (desk.inventory.incarnation, 1)
    assert (head.device_count, head.device_digest) == (3, digest_devices(["d0", "d1", "d2"]))
    # Of devices that came between reading and sending it says nothing.
    desk.inventory.follow([report("d3")])
    [frame] = desk.write(build_draft(3))
    head, _, _ = decode_frame(frame)
    assert (head.inventory_version, head.device_count) == (2, 3)
    assert head.device_digest == digest_devices(["d0", "d1", "d2"])


@given(st.integers(2 * FRAME_DEVICES_MIN, 5000), st.integers(1, 6))
def test_a_frame_is_split_down_to_what_the_platform_takes(
    tmp_path_factory: pytest.TempPathFactory, count: int, depth: int
) -> None:
    desk = build_desk(tmp_path_factory.mktemp("desk"), 1)
    desk.inventory.rows *= count
    draft = build_draft(count)
    parts, whole = list(desk.write(draft)), []
    for _ in range(depth):
        halves = [(part, desk.split(part)) for part in parts]
        whole = [part for part, split in halves if split is None]
        parts = [half for part, split in halves for half in (split or (part,))]
    numbers, values = join(parts)
    assert numbers == list(range(count))
    assert np.array_equal(values, draft.values)
    found = [decode_frame(part) for part in parts]
    assert min(len(each[1]) for each in found) >= FRAME_DEVICES_MIN
    assert len({each[0].sampled_at_ms for each in found}) == len(found)
    assert all(len(decode_frame(part)[1]) < 2 * FRAME_DEVICES_MIN for part in whole)
    assert desk.devices_max >= FRAME_DEVICES_MIN
    # And what is made next is as small.
    smallest = max(desk.devices_max, 2 * FRAME_DEVICES_MIN)
    assert max(len(decode_frame(frame)[1]) for frame in desk.write(draft)) <= smallest


def test_late_parts_get_numbers_below_the_newest_until_there_are_none(tmp_path: Path) -> None:
    desk = build_desk(tmp_path, 1)
    [frame] = desk.write(build_draft(1))
    newest = decode_frame(frame)[0].sequence
    for _ in range(SPARE_NUMBERS):
        part = desk.number(frame, is_newest=False)
        assert part is not None
        assert decode_frame(part)[0].sequence < newest
    assert desk.number(frame, is_newest=False) is None
    later = desk.number(frame, is_newest=True)
    assert later is not None
    assert decode_frame(later)[0].sequence == newest + 1
