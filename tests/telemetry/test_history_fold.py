"""Frames become blocks: in order of device and time, each frame once, whatever its devices, in bounded memory."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from keisan.domain.history import FrameOrigin, SequenceRanges
from keisan.domain.sample import FIELD_INDEX, FrameHead, SampleName
from keisan.storage.base_history import BLOCK_DEVICES, Block, JournalFrame
from keisan.telemetry import history_fold
from keisan.telemetry.history_fold import build_blocks, choose_frames
from tests.storage.history_world import DAY_START_MS, SITES, create_frame, create_head


@dataclass
class Held:
    """A frame in memory, where a journal's is on the disk."""

    frame: JournalFrame

    @property
    def origin(self) -> FrameOrigin:
        return self.frame.origin

    @property
    def head(self) -> FrameHead:
        return self.frame.head

    @property
    def device_count(self) -> int:
        return len(self.frame.numbers)

    def read(self) -> JournalFrame:
        return self.frame


def create(sequences: list[int], device_count: int, *, is_even: bool = False) -> list[JournalFrame]:
    source = np.random.default_rng(8)
    frames = [create_frame(source, create_head(n, DAY_START_MS + n), device_count=device_count) for n in sequences]
    if is_even:
        shuffled = source.permutation(device_count).astype(np.uint32)
        values = source.integers(0, 1000, (len(sequences), len(SampleName), device_count), np.int32)
        return [replace(each, numbers=shuffled, values=values[n]) for n, each in enumerate(frames)]
    return frames


def list_rows(blocks: list[Block]) -> list[tuple[int, int, int]]:
    power = SampleName.POWER_MILLIWATTS
    return [
        (int(number), int(at), int(value))
        for block in blocks
        for number, at, value in zip(block.numbers, block.at_ms, block.columns[power], strict=True)
    ]


@pytest.mark.parametrize("is_even", [True, False])
@pytest.mark.parametrize("rows_max", [1_000_000, 2000, 1])
def test_rows_are_in_order_of_device_and_time(monkeypatch: pytest.MonkeyPatch, rows_max: int, is_even: bool) -> None:
    monkeypatch.setattr(history_fold, "FOLD_ROWS_MAX", rows_max)
    frames = create([3, 1, 2, 9], 700, is_even=is_even)
    blocks = list(build_blocks(choose_frames([Held(each) for each in frames], {})))
    expected = sorted(
        (int(number), frame.head.sampled_at_ms, int(value))
        for frame in frames
        for number, value in zip(frame.numbers, frame.values[FIELD_INDEX[SampleName.POWER_MILLIWATTS]], strict=True)
    )
    assert list_rows(blocks) == expected
    assert [each.key.place for each in blocks] == sorted({number // BLOCK_DEVICES for number, _, _ in expected})
    assert all(set(each.numbers // BLOCK_DEVICES) == {each.key.place} for each in blocks)
    assert all((each.columns["period_ms"] == 10_000).all() for each in blocks)


def test_a_frame_is_taken_once() -> None:
    frames = create([1, 2, 3, 4], 5)
    again = [*frames, frames[0], replace(frames[1], head=replace(frames[1].head, sequence=8))]
    seen = {(str(SITES[0]), "a"): SequenceRanges(((4, 7),))}
    chosen = choose_frames([Held(each) for each in again], seen)
    (taken,) = chosen.by_inventory.values()
    assert [each.head.sequence for each in taken] == [1, 2, 3]
    assert chosen.duplicate_count == 3
