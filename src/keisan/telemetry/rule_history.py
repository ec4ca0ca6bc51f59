"""Decisions of history, on values: whose turn it is, what is rolled up, merged, dropped for its age, for room."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any, TypeVar

from keisan.domain.history import (
    DEVICE_TIERS,
    FOLDS_AT_ONCE,
    INVENTORIES_SITE_BYTES_MAX,
    INVENTORIES_SITE_MAX,
    MERGE_FILES,
    ON_TIME_MS,
    ROLL_GRACE_MS,
    ROLL_LATE_FILES,
    ROLL_LATE_MS,
    SPANS_MS,
    WINDOW_GRACE_MS,
    WINDOW_MS,
    HistoryFile,
    HistoryTerms,
    InventoryNote,
    Month,
    Tier,
    Window,
)

Key = TypeVar("Key", bound=Any)

# The finest first: the order in which room is made. Days' own rows are never dropped.
_DROPPED = (Tier.SAMPLE, Tier.MINUTE, Tier.HOUR)
_ROLLED = (Tier.SAMPLE, Tier.HOUR)


def choose_turns(keys: Iterable[Key], last: Key | None, count_max: int = 1) -> Sequence[Key]:
    """Return the keys that follow the last one in order, the first after all others.

    So each has its turn, however many others come meanwhile.
    """
    found = sorted(keys)
    begin = 0 if last is None else bisect_right(found, last)
    return [*found[begin:], *found[:begin]][:count_max]


def choose_windows(windows: Iterable[Window], last: Window | None, now_ms: int) -> Sequence[Window]:
    """Return the windows to fold next: a few that are on time, the oldest first, then as many that came late, in turn."""
    on_time, late = split_windows(windows, now_ms)
    found = sorted(on_time, key=_order_window)[:FOLDS_AT_ONCE]
    return [*found, *choose_turns(late, last, FOLDS_AT_ONCE)]


def split_windows(windows: Iterable[Window], now_ms: int) -> tuple[frozenset[Window], frozenset[Window]]:
    """Return those that are on time, and those that came late."""
    every = frozenset(windows)
    late = frozenset(each for each in every if each.end_ms + ON_TIME_MS < now_ms)
    return every - late, late


def _order_window(window: Window) -> tuple[int, str]:
    return window.start_ms, window.region


def choose_forgotten(notes: Iterable[InventoryNote]) -> Sequence[InventoryNote]:
    """Return which inventories of one site go: all but the newest few, and what does not fit beside the newest.

    Rows of one that went are in every sum still, and are not told by device any more.
    """
    _, *older = sorted(notes, key=lambda each: (each.received_ms, each.incarnation), reverse=True)
    sizes = accumulate(each.size_bytes for each in older)
    return [
        each
        for place, (each, size_bytes) in enumerate(zip(older, sizes, strict=True), start=1)
        if place >= INVENTORIES_SITE_MAX or size_bytes > INVENTORIES_SITE_BYTES_MAX
    ]


def list_rolls(files: Iterable[HistoryFile], now_ms: int) -> Iterator[Sequence[HistoryFile]]:
    """Yield files whose rows are to go into coarser tiers together: samples of an hour, or hours of a day.

    An hour is rolled up once it is over and its last window folded. What comes later for it waits a while for more.
    """
    waiting = sorted(
        (each for each in files if not each.is_rolled and each.tier in _ROLLED),
        key=lambda each: (_ROLLED.index(each.tier), each.start_ms // SPANS_MS[each.tier]),
    )
    for (tier, span), group in groupby(waiting, key=lambda each: (each.tier, each.start_ms // SPANS_MS[each.tier])):
        found = list(group)
        end_ms = (span + 1) * SPANS_MS[tier]
        # Windows of a day's last hour are folded, and rolled up to hours, before the day is.
        due_ms = end_ms + WINDOW_GRACE_MS + ROLL_GRACE_MS * (1 if tier is Tier.SAMPLE else 2)
        is_late = min(each.created_ms for each in found) > due_ms + WINDOW_MS
        is_waited = len(found) >= ROLL_LATE_FILES or now_ms - min(each.created_ms for each in found) >= ROLL_LATE_MS
        if now_ms >= due_ms and (is_waited or not is_late):
            yield found


def list_merges(files: Iterable[HistoryFile], now_ms: int) -> Iterator[Sequence[HistoryFile]]:
    """Yield files of one tier and span that are worth making one of."""
    settled = sorted(
        (each for each in files if each.is_rolled and now_ms >= _find_end(each) + 2 * ROLL_GRACE_MS + WINDOW_MS),
        key=lambda each: (each.tier, each.start_ms // SPANS_MS[each.tier]),
    )
    for _, group in groupby(settled, key=lambda each: (each.tier, each.start_ms // SPANS_MS[each.tier])):
        found = list(group)
        if len(found) >= MERGE_FILES:
            yield found


def _find_end(file: HistoryFile) -> int:
    return (file.start_ms // SPANS_MS[file.tier] + 1) * SPANS_MS[file.tier]


def choose_expired(files: Iterable[HistoryFile], terms: HistoryTerms, now_ms: int) -> Sequence[HistoryFile]:
    """Return files that are past their tier's time; what is not yet in the coarser tiers stays until it is."""
    expired = []
    for each in files:
        kept_ms = terms.find_kept_ms(each.tier)
        if each.is_rolled and kept_ms is not None and each.until_ms + kept_ms <= now_ms:
            expired.append(each)
    return expired


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """What goes to keep within the disk budget, and by how much it is passed even then."""

    dropped: Sequence[tuple[Month, HistoryFile]]
    excess_bytes: int


def plan_room(files: Iterable[tuple[Month, HistoryFile]], other_bytes: int, budget_bytes: int) -> RoomPlan:
    """Return which files go: the finest tier first, and of it the oldest; none that the coarser tiers do not have yet.

    `other_bytes` is what cannot be dropped at all, as the journal and inventories.
    """
    listed = list(files)
    excess_bytes = other_bytes + sum(each.size_bytes for _, each in listed) - budget_bytes
    candidates = sorted(
        ((month, each) for month, each in listed if each.is_rolled and each.tier in _DROPPED),
        key=lambda pair: (_DROPPED.index(pair[1].tier), pair[1].start_ms, pair[1].name),
    )
    dropped: list[tuple[Month, HistoryFile]] = []
    for month, each in candidates:
        if excess_bytes <= 0:
            break
        dropped.append((month, each))
        excess_bytes -= each.size_bytes
    return RoomPlan(dropped, max(0, excess_bytes))


def choose_files(files: Iterable[HistoryFile], tier: Tier) -> Sequence[HistoryFile]:
    """Return the files that hold all rows of a tier: its own, and those of finer ones that are not rolled up yet."""
    # Samples become hours and sites' hours at once, and only these become days.
    finer = (Tier.SAMPLE,) if tier is Tier.SITE_HOUR else DEVICE_TIERS[: DEVICE_TIERS.index(tier)]
    return [each for each in files if each.tier is tier or (each.tier in finer and not each.is_rolled)]
