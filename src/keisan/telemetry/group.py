"""Sums and maxima over groups of columns, exact: whole numbers of 64 bits, no floats."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32] | npt.NDArray[np.int64] | npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Groups:
    """How columns fall into groups: `order` sorts them by group, None if they are; `starts` is where each group begins.

    `filled` are the groups that have columns, None if all have.
    """

    count: int
    order: Places | None
    starts: Places
    filled: Places | None


def group_columns(group_of: npt.NDArray[np.int32], count: int) -> Groups:
    """Return the groups of columns that each name theirs, 0 to `count` - 1; a column that names -1 is in none."""
    is_sorted = len(group_of) == 0 or bool((np.diff(group_of) >= 0).all() and group_of[0] >= 0)
    order = None if is_sorted else np.argsort(group_of, kind="stable")
    ordered = group_of if order is None else group_of[order]
    if order is not None:
        outside = int(np.searchsorted(ordered, 0))
        order, ordered = order[outside:], ordered[outside:]
    filled, starts = np.unique(ordered, return_index=True)
    return Groups(count, order, starts, None if len(filled) == count else filled.astype(np.intp))


def sum_groups(rows: Rows, groups: Groups) -> Table:
    """Return [rows, groups]: the sum of each row over each group, 0 where a group has no column."""
    return _reduce(np.add, rows, groups, 0)


def find_most(rows: Rows, groups: Groups, least: int) -> Table:
    """Return [rows, groups]: the most of each row in each group, `least` where a group has no column."""
    return _reduce(np.maximum, rows, groups, least)


def _reduce(function: np.ufunc, rows: Rows, groups: Groups, empty: int) -> Table:
    if len(groups.starts) == 0:
        return np.full((len(rows), groups.count), empty, np.int64)
    ordered = rows if groups.order is None else rows[:, groups.order]
    found: Table = function.reduceat(ordered, groups.starts, axis=1, dtype=np.int64)
    if groups.filled is None:
        return found
    table = np.full((len(rows), groups.count), empty, np.int64)
    table[:, groups.filled] = found
    return table
