"""Folds rows of history into coarser steps. Whole numbers only, so that folding twice is exactly folding once.

A sample is widened to a roll-up of itself first; from there on one function folds every tier.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from keisan.domain.history_column import COUNTER, NULLABLE, ROLL_UP_COLUMNS, STATISTICS, VERDICTS, Statistic
from keisan.domain.sample import MISSING, SampleName
from keisan.storage.base_history import Block, BlockKey, Column

Places = npt.NDArray[np.intp]
_ADDED: Final = frozenset({Statistic.SUM, Statistic.COUNT, *VERDICTS})


def widen_samples(block: Block) -> Block:
    """Return samples as roll-ups of one sample each."""
    ones = np.ones(len(block), np.int32)
    columns: dict[str, Column] = {
        "sample_count": ones,
        "covered_ms": block.columns["period_ms"],
        "first_ms": block.at_ms,
        "last_ms": block.at_ms,
    }
    known = {name: block.columns[name] != MISSING for name in SampleName}
    for each in ROLL_UP_COLUMNS:
        columns[each.name] = _widen(block.columns[each.field], known[each.field], each.statistic)
    return Block(block.key, block.numbers, block.at_ms, columns)


def _widen(values: Column, known: npt.NDArray[np.bool_], statistic: Statistic) -> Column:
    if statistic in VERDICTS:
        has_verdict: npt.NDArray[np.bool_] = values == VERDICTS[statistic]
        return has_verdict.astype(np.int32)
    match statistic:
        case Statistic.COUNT:
            return known.astype(np.int32)
        case Statistic.SUM:
            return np.where(known, values, 0)
        case Statistic.GROWTH:
            return np.zeros(len(values), np.int32)
        case _:
            return values


def sort_rows(block: Block) -> Block:
    """Return roll-ups in order of device, step and first sample: pieces of one step stand side by side, as they came."""
    order = np.lexsort((block.columns["first_ms"], block.at_ms, block.numbers))
    return block if (order[:-1] < order[1:]).all() else block.take(order)


def fold_rows(block: Block, step_ms: int) -> Block:
    """Return roll-ups, sorted, as those of a coarser step, or of the same one with its pieces joined."""
    step = block.at_ms // step_ms
    is_first = np.ones(len(block), np.bool_)
    is_first[1:] = (np.diff(block.numbers) != 0) | (np.diff(step) != 0)
    starts: Places = np.flatnonzero(is_first)
    columns: dict[str, Column] = {
        "sample_count": _add(block.columns["sample_count"], starts),
        "covered_ms": _add(block.columns["covered_ms"], starts),
        "first_ms": np.minimum.reduceat(block.columns["first_ms"], starts),
        "last_ms": np.maximum.reduceat(block.columns["last_ms"], starts),
    }
    for each in ROLL_UP_COLUMNS:
        if each.statistic is Statistic.GROWTH:
            columns |= _fold_counter(block.columns, each.field, starts)
        elif each.statistic not in {Statistic.FIRST, Statistic.LAST}:
            columns[each.name] = _fold(block.columns[each.name], starts, each.statistic)
    return Block(block.key, block.numbers[starts], step[starts] * step_ms, columns)


def sum_devices(block: Block) -> Block:
    """Return roll-ups as one row for each step, of all devices together; of counters only that they are not in it."""
    order = np.argsort(block.at_ms, kind="stable")
    sorted_ms = block.at_ms[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = np.diff(sorted_ms) != 0
    starts: Places = np.flatnonzero(is_first)
    ordered = block.take(order)
    columns: dict[str, Column] = {
        "sample_count": _add(ordered.columns["sample_count"], starts),
        "covered_ms": _add(ordered.columns["covered_ms"], starts),
        "first_ms": np.minimum.reduceat(ordered.columns["first_ms"], starts),
        "last_ms": np.maximum.reduceat(ordered.columns["last_ms"], starts),
    }
    for each in ROLL_UP_COLUMNS:
        if STATISTICS[each.field] is COUNTER:
            columns[each.name] = np.full(len(starts), MISSING if each.statistic in NULLABLE else 0, np.int32)
        else:
            columns[each.name] = _fold(ordered.columns[each.name], starts, each.statistic)
    key = BlockKey(block.key.site, block.key.incarnation, 0)
    return Block(key, np.zeros(len(starts), np.uint32), sorted_ms[starts], columns)


def _add(values: Column, starts: Places) -> Column:
    return np.add.reduceat(values, starts, dtype=np.int64)


def _fold(values: Column, starts: Places, statistic: Statistic) -> Column:
    match statistic:
        case Statistic.MAX:
            return np.maximum.reduceat(values, starts)
        case Statistic.MIN:
            # One less, MISSING is the largest there is: 32 bits wrap around.
            return np.minimum.reduceat(values - np.int32(1), starts) + np.int32(1)
        case Statistic.ANY:
            joined = np.bitwise_or.reduceat(np.where(values == MISSING, np.int32(0), values), starts)
            return np.where(np.maximum.reduceat(values, starts) == MISSING, np.int32(MISSING), joined)
        case _:
            assert statistic in _ADDED
            return _add(values, starts)


def _fold_counter(columns: Mapping[str, Column], field: SampleName, starts: Places) -> dict[str, Column]:
    """Return a counter's first and last value and growth of each step: from each known value to the next, unless it fell."""
    names = [f"{field}_{each}" for each in (Statistic.FIRST, Statistic.LAST, Statistic.GROWTH)]
    known = np.flatnonzero(columns[names[0]] != MISSING)
    first, last, growth = (columns[name][known] for name in names)
    step = np.searchsorted(starts, known, side="right") - 1
    is_first = np.ones(len(known), np.bool_)
    is_first[1:] = np.diff(step) != 0
    risen = growth.astype(np.int64)
    risen[1:] += np.where(is_first[1:], 0, np.maximum(first[1:].astype(np.int64) - last[:-1], 0))
    places = np.flatnonzero(is_first)
    folded = [np.full(len(starts), MISSING, np.int32) for _ in range(2)] + [np.zeros(len(starts), np.int64)]
    if len(known):
        folded[0][step[places]] = first[places]
        folded[1][step[places]] = last[np.append(places[1:], len(known)) - 1]
        folded[2][step[places]] = np.add.reduceat(risen, places)
    return dict(zip(names, folded, strict=True))
