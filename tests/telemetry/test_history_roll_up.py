"""Roll-ups of history: folded in one step or in many, in one piece or in several, they are what a slow recount says."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keisan.domain.history import HOUR_MS, MINUTE_MS
from keisan.domain.history_column import FLAGS, STATISTICS, VERDICTS, Statistic
from keisan.domain.sample import MISSING, SAMPLE_FIELDS, SampleName
from keisan.storage.base_history import Block, BlockKey, Column
from keisan.telemetry.history_roll_up import fold_rows, sort_rows, widen_samples

KEY = BlockKey("site", "a", 0)
Row = dict[str, int]


def create_samples(seed: int, row_count: int, device_count: int) -> Block:
    """Return samples of a few hours, in order of device and time; values are at their bounds more often than not."""
    source = np.random.default_rng(seed)
    numbers = np.sort(source.integers(0, device_count, row_count)).astype(np.uint32)
    at_ms = (
        np.concatenate(
            [np.sort(source.choice(4 * 360, count, replace=False)) for count in np.bincount(numbers)]
        ).astype(np.int64)
        * 10_000
        + 77
    )
    columns: dict[str, Column] = {"period_ms": source.choice(np.array([10_000, 5_000], np.int32), row_count)}
    for each in SAMPLE_FIELDS:
        drawn = source.integers(each.least, each.most, row_count, np.int32, endpoint=True)
        edge = source.choice(np.array([each.least, each.most, MISSING], np.int32), row_count)
        columns[each.name] = np.where(source.random(row_count) < 0.5, drawn, edge)
    return Block(KEY, numbers, at_ms, columns)


def recount(block: Block, step_ms: int) -> Iterator[Row]:
    """Yield what each device's samples of each step come to, one after another."""
    steps = sorted({(int(number), int(at) // step_ms) for number, at in zip(block.numbers, block.at_ms, strict=True)})
    for number, step in steps:
        rows = [
            place
            for place in range(len(block))
            if block.numbers[place] == number and block.at_ms[place] // step_ms == step
        ]
        found: Row = {
            "number": number,
            "at_ms": step * step_ms,
            "sample_count": len(rows),
            "covered_ms": sum(int(block.columns["period_ms"][place]) for place in rows),
            "first_ms": int(block.at_ms[rows[0]]),
            "last_ms": int(block.at_ms[rows[-1]]),
        }
        for name in SampleName:
            values = [int(block.columns[name][place]) for place in rows if block.columns[name][place] != MISSING]
            found |= {f"{name}_{each}": count_one(values, each) for each in STATISTICS[name]}
        yield found


def count_one(values: list[int], statistic: Statistic) -> int:
    if statistic in VERDICTS:
        return sum(value == VERDICTS[statistic] for value in values)
    joined = 0
    for value in values:
        joined |= value
    growth = sum(max(0, after - before) for before, after in pairwise(values))
    known = {
        Statistic.MIN: min(values, default=MISSING),
        Statistic.MAX: max(values, default=MISSING),
        Statistic.SUM: sum(values),
        Statistic.COUNT: len(values),
        Statistic.FIRST: values[0] if values else MISSING,
        Statistic.LAST: values[-1] if values else MISSING,
        Statistic.GROWTH: growth,
        Statistic.ANY: joined if values else MISSING,
    }
    return known[statistic]


def list_rows(block: Block) -> list[Row]:
    columns: dict[str, Any] = {"number": block.numbers, "at_ms": block.at_ms, **block.columns}
    return [{name: int(column[place]) for name, column in columns.items()} for place in range(len(block))]


def join(blocks: list[Block]) -> Block:
    columns = {name: np.concatenate([each.columns[name] for each in blocks]) for name in blocks[0].columns}
    numbers, at_ms = (np.concatenate([getattr(each, name) for each in blocks]) for name in ("numbers", "at_ms"))
    return Block(KEY, numbers, at_ms, columns)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), row_count=st.integers(1, 60), device_count=st.integers(1, 4))
def test_a_fold_is_what_a_recount_says(seed: int, row_count: int, device_count: int) -> None:
    samples = create_samples(seed, row_count, device_count)
    assert list_rows(fold_rows(widen_samples(samples), HOUR_MS)) == list(recount(samples, HOUR_MS))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), row_count=st.integers(1, 60), device_count=st.integers(1, 4))
def test_steps_on_the_way_change_nothing(seed: int, row_count: int, device_count: int) -> None:
    widened = widen_samples(create_samples(seed, row_count, device_count))
    minutes = fold_rows(widened, MINUTE_MS)
    assert list_rows(fold_rows(minutes, HOUR_MS)) == list_rows(fold_rows(widened, HOUR_MS))
    assert list_rows(fold_rows(minutes, MINUTE_MS)) == list_rows(minutes)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), row_count=st.integers(2, 60), cuts=st.sets(st.integers(1, 1439), max_size=4))
def test_pieces_that_come_in_any_order_are_joined(seed: int, row_count: int, cuts: set[int]) -> None:
    samples = create_samples(seed, row_count, 3)
    edges = [0, *(cut * 10_000 for cut in sorted(cuts)), 5 * HOUR_MS]
    pieces = [
        fold_rows(widen_samples(samples.take(places)), HOUR_MS)
        for start, end in pairwise(edges)
        if len(places := np.flatnonzero((samples.at_ms >= start) & (samples.at_ms < end)))
    ]
    np.random.default_rng(seed).shuffle(pieces)
    joined = fold_rows(sort_rows(join(pieces)), HOUR_MS)
    assert list_rows(joined) == list(recount(samples, HOUR_MS))


def test_a_counter_that_is_reset_grows_on() -> None:
    rows = 4
    columns: dict[str, Column] = {each.name: np.full(rows, MISSING, np.int32) for each in SAMPLE_FIELDS}
    columns |= {"period_ms": np.full(rows, 10_000, np.int32), "energy_kilojoules": np.array([5, 9, 2, 3], np.int32)}
    block = Block(KEY, np.zeros(rows, np.uint32), np.arange(rows, dtype=np.int64) * 10_000, columns)
    (row,) = list_rows(fold_rows(widen_samples(block), MINUTE_MS))
    assert [row[f"energy_kilojoules_{each}"] for each in ("first", "last", "growth", "count")] == [5, 3, 5, 4]


@pytest.mark.parametrize("statistics", [FLAGS, tuple(VERDICTS)])
def test_what_is_no_number_is_never_averaged(statistics: tuple[Statistic, ...]) -> None:
    assert Statistic.SUM not in statistics
    assert statistics in {STATISTICS[SampleName.THROTTLE_FLAGS], STATISTICS[SampleName.HEALTH]}
