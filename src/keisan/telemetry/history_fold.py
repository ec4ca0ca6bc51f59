"""Makes history's rows of frames, and coarser rows of finer ones, block by block in bounded memory."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Final

import numpy as np

from keisan.domain.history import DAY_MS, FOLD_ROWS_MAX, HOUR_MS, MINUTE_MS, STEPS_MS, SequenceRanges, Tier
from keisan.domain.sample import SampleName
from keisan.storage.base_history import BLOCK_DEVICES, Block, BlockKey, Column, FramePlace, JournalFrame
from keisan.telemetry.history_roll_up import fold_rows, sort_rows, sum_devices, widen_samples
from keisan.wire.frame import Numbers

Inventory = tuple[str, str]
_NOTHING: Final = SequenceRanges()


@dataclass(slots=True)
class FrameSet:
    """Frames of one window, each once. `duplicate_count` is how many were left out."""

    by_inventory: dict[Inventory, list[FramePlace]] = field(default_factory=dict)
    duplicate_count: int = 0


def choose_frames(places: Iterable[FramePlace], seen: Mapping[Inventory, SequenceRanges]) -> FrameSet:
    """Return frames in order of time, without those that were folded before or say the same moment or sequence twice."""
    chosen = FrameSet()
    known: set[tuple[Inventory, str, int]] = set()
    for place in places:
        inventory = (str(place.origin.site_id), place.head.incarnation)
        marks = {(inventory, "sequence", place.head.sequence), (inventory, "moment", place.head.sampled_at_ms)}
        if place.head.sequence in seen.get(inventory, _NOTHING) or known & marks:
            chosen.duplicate_count += 1
            continue
        known |= marks
        chosen.by_inventory.setdefault(inventory, []).append(place)
    for places_of in chosen.by_inventory.values():
        places_of.sort(key=lambda each: each.head.sampled_at_ms)
    return chosen


def build_blocks(chosen: FrameSet) -> Iterator[Block]:
    """Yield the samples of frames as blocks in order of their keys."""
    for (site, incarnation), places in sorted(chosen.by_inventory.items(), key=lambda pair: pair[0]):
        for part in _read_parts(places):
            yield from _split_part(site, incarnation, part)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of a range of devices, frame after frame."""

    numbers: Numbers
    at_ms: Column
    period_ms: Column
    values: Column
    frame_count: int
    is_even: bool


def _read_parts(places: Sequence[FramePlace]) -> Iterator[_Part]:
    """Yield the rows of ranges of devices, as many at a time as FOLD_ROWS_MAX lets; frames are read for each again."""
    if sum(each.device_count for each in places) <= FOLD_ROWS_MAX:
        yield _join_frames([each.read() for each in places])
        return
    width = max(FOLD_ROWS_MAX // len(places) // BLOCK_DEVICES, 1) * BLOCK_DEVICES
    low, most = 0, 0
    while low <= most:
        cut = []
        for place in places:
            frame = place.read()
            most = max(most, int(frame.numbers.max(initial=0)))
            chosen = np.flatnonzero((frame.numbers >= low) & (frame.numbers < low + width))
            cut.append(JournalFrame(frame.origin, frame.head, frame.numbers[chosen], frame.values[:, chosen]))
        part = _join_frames(cut)
        if len(part.numbers):
            yield part
        low += width


def _join_frames(frames: Sequence[JournalFrame]) -> _Part:
    counts = [len(each.numbers) for each in frames]
    return _Part(
        np.concatenate([each.numbers for each in frames]),
        np.repeat(np.array([each.head.sampled_at_ms for each in frames], np.int64), counts),
        np.repeat(np.array([each.head.period_ms for each in frames], np.int32), counts),
        np.concatenate([each.values for each in frames], axis=1),
        len(frames),
        all(np.array_equal(each.numbers, frames[0].numbers) for each in frames[1:]),
    )


def _split_part(site: str, incarnation: str, part: _Part) -> Iterator[Block]:
    if part.is_even:
        # All frames have the same devices: to go by device first is to read the rows crosswise.
        width = len(part.numbers) // part.frame_count
        own = np.argsort(part.numbers[:width], kind="stable")
        order = (own[:, None] + np.arange(part.frame_count) * width).ravel()
    else:
        order = np.argsort(part.numbers, kind="stable")
    places = part.numbers[order] // BLOCK_DEVICES
    edges = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(order)]
    for start, end in pairwise(edges):
        rows = order[start:end]
        columns: dict[str, Column] = {name: part.values[position][rows] for position, name in enumerate(SampleName)}
        columns["period_ms"] = part.period_ms[rows]
        key = BlockKey(site, incarnation, int(places[start]))
        yield Block(key, part.numbers[rows], part.at_ms[rows], columns)


Sink = Callable[[Block], None]


def merge_blocks(streams: Sequence[Iterator[Block]]) -> Iterator[list[Block]]:
    """Yield blocks of the same key from all streams together, in order of keys."""
    merged = heapq.merge(*streams, key=lambda block: block.key)
    for _, group in groupby(merged, key=lambda block: block.key):
        yield list(group)


def join_samples(blocks: Sequence[Block]) -> Block:
    """Return the samples of blocks in order of device and time, one of each moment."""
    whole = _join(blocks)
    order = np.lexsort((whole.at_ms, whole.numbers))
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(whole.numbers[order]) != 0) | (np.diff(whole.at_ms[order]) != 0)
    return whole.take(order[is_new])


def join_roll_ups(blocks: Sequence[Block], step_ms: int) -> Block:
    """Return the roll-ups of blocks in order of device and step, pieces of one step joined."""
    return fold_rows(sort_rows(_join(blocks)), step_ms)


def _join(blocks: Sequence[Block]) -> Block:
    first = blocks[0]
    if len(blocks) == 1:
        return first
    return Block(
        first.key,
        np.concatenate([each.numbers for each in blocks]),
        np.concatenate([each.at_ms for each in blocks]),
        {name: np.concatenate([each.columns[name] for each in blocks]) for name in first.columns},
    )


def roll_samples(streams: Sequence[Iterator[Block]], sinks: Mapping[Tier, Sink]) -> None:
    """Read samples of an hour once, and write them merged, as minutes and as hours."""
    for blocks in merge_blocks(streams):
        samples = join_samples(blocks)
        sinks[Tier.SAMPLE](samples)
        minutes = fold_rows(widen_samples(samples), MINUTE_MS)
        sinks[Tier.MINUTE](minutes)
        hours = fold_rows(minutes, HOUR_MS)
        sinks[Tier.HOUR](hours)
        sinks[Tier.SITE_HOUR](sum_devices(hours))


def roll_hours(streams: Sequence[Iterator[Block]], sinks: Mapping[Tier, Sink]) -> None:
    """Read hours of a day once, and write them merged and as days."""
    for blocks in merge_blocks(streams):
        hours = join_roll_ups(blocks, HOUR_MS)
        sinks[Tier.HOUR](hours)
        sinks[Tier.DAY](fold_rows(hours, DAY_MS))


def merge_tier(tier: Tier, streams: Sequence[Iterator[Block]], sink: Sink) -> None:
    """Write the rows of several files of a tier as one."""
    for blocks in merge_blocks(streams):
        sink(join_samples(blocks) if tier is Tier.SAMPLE else join_roll_ups(blocks, STEPS_MS[tier]))
