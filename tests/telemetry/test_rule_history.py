"""Decisions of history: what is rolled up and merged when, and what goes first when there is no room."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.history import (
    DAY_MS,
    FOLDS_AT_ONCE,
    HOUR_MS,
    INVENTORIES_SITE_BYTES_MAX,
    INVENTORIES_SITE_MAX,
    MINUTE_MS,
    ON_TIME_MS,
    WINDOW_MS,
    HistoryFile,
    HistoryTerms,
    InventoryNote,
    Month,
    Tier,
    Window,
)
from keisan.telemetry.rule_history import (
    choose_expired,
    choose_files,
    choose_forgotten,
    choose_turns,
    choose_windows,
    list_merges,
    list_rolls,
    plan_room,
    split_windows,
)

MONTH = Month("CN-SX", "2026-11")
FILE = HistoryFile("a", Tier.SAMPLE, 0, WINDOW_MS, 1, 100, 0)
WINDOWS = [replace(FILE, name=str(n), start_ms=n * WINDOW_MS, until_ms=(n + 1) * WINDOW_MS) for n in range(6)]


def choose_roll(files: Iterable[HistoryFile], now_ms: int) -> Sequence[HistoryFile]:
    return next(list_rolls(files, now_ms), ())


def choose_merge(files: Iterable[HistoryFile], now_ms: int) -> Sequence[HistoryFile]:
    return next(list_merges(files, now_ms), ())


DUE_MS = HOUR_MS + 2 * MINUTE_MS + 30_000


def test_an_hour_is_rolled_up_once_it_is_over_and_folded() -> None:
    assert choose_roll(WINDOWS, DUE_MS - 1) == ()
    assert choose_roll(WINDOWS, DUE_MS) == WINDOWS
    assert choose_roll([replace(each, is_rolled=True) for each in WINDOWS], DUE_MS) == ()
    assert choose_roll([replace(FILE, tier=Tier.MINUTE)], DAY_MS * 9) == ()


def test_what_is_late_waits_for_more() -> None:
    late = replace(FILE, created_ms=5 * HOUR_MS)
    assert choose_roll([late], 5 * HOUR_MS + 10 * MINUTE_MS - 1) == ()
    assert choose_roll([late], 5 * HOUR_MS + 10 * MINUTE_MS) == [late]
    assert len(choose_roll([replace(late, name=str(n)) for n in range(6)], 5 * HOUR_MS)) == 6
    # An hour that waits holds up no other.
    other = replace(FILE, start_ms=HOUR_MS, until_ms=2 * HOUR_MS, created_ms=HOUR_MS)
    assert choose_roll([late, other], 5 * HOUR_MS) == [other]


def test_samples_go_before_hours() -> None:
    hour = replace(FILE, tier=Tier.HOUR)
    assert choose_roll([hour, FILE], 2 * DAY_MS) == [FILE]
    assert choose_roll([hour], DAY_MS + DUE_MS - HOUR_MS) == ()
    assert choose_roll([hour], DAY_MS + DUE_MS - HOUR_MS + 2 * MINUTE_MS) == [hour]


def test_only_many_files_of_one_tier_and_span_are_merged() -> None:
    rolled = [replace(each, is_rolled=True) for each in WINDOWS]
    assert choose_merge(rolled[:3], DAY_MS) == ()
    assert choose_merge(rolled[:4], DAY_MS) == rolled[:4]
    assert choose_merge(rolled, HOUR_MS) == ()
    assert choose_merge(WINDOWS, DAY_MS) == ()
    assert choose_merge([*rolled[:2], *(replace(each, tier=Tier.MINUTE) for each in rolled[:2])], DAY_MS) == ()


def test_a_tier_expires_by_its_own_terms() -> None:
    files = [replace(FILE, name=str(tier), tier=tier, is_rolled=True) for tier in Tier]

    def name_expired(days: int) -> list[str]:
        return [each.name for each in choose_expired(files, HistoryTerms(), days * DAY_MS + WINDOW_MS)]

    assert [name_expired(days) for days in (1, 2, 30, 1826, 99_999)] == [
        [],
        ["sample"],
        ["sample", "minute"],
        ["sample", "minute", "hour"],
        ["sample", "minute", "hour"],
    ]
    assert choose_expired([FILE], HistoryTerms(), 99 * DAY_MS) == []


TIERS = st.sampled_from(list(Tier))
FILES = st.lists(st.tuples(TIERS, st.integers(0, 9), st.integers(0, 1000), st.booleans()), max_size=12)


@given(FILES, st.integers(0, 1000), st.integers(0, 6000))
def test_room_is_made_of_the_finest_and_oldest(
    drawn: list[tuple[Tier, int, int, bool]], other_bytes: int, budget_bytes: int
) -> None:
    files = [
        (MONTH, HistoryFile(str(place), tier, start, start + 1, 1, size, 0, is_rolled=is_rolled))
        for place, (tier, start, size, is_rolled) in enumerate(drawn)
    ]
    plan = plan_room(files, other_bytes, budget_bytes)
    dropped = [each for _, each in plan.dropped]
    kept = [each for _, each in files if each not in dropped]
    used_bytes = other_bytes + sum(each.size_bytes for each in kept)
    assert plan.excess_bytes == max(0, used_bytes - budget_bytes)
    assert all(each.is_rolled and each.tier in {Tier.SAMPLE, Tier.MINUTE, Tier.HOUR} for each in dropped)
    order = list(Tier)
    rest = [each for each in kept if each.is_rolled and each.tier in {Tier.SAMPLE, Tier.MINUTE, Tier.HOUR}]
    if plan.excess_bytes:
        assert not rest
    for gone in dropped:
        for left in rest:
            assert (order.index(gone.tier), gone.start_ms) <= (order.index(left.tier), left.start_ms)
    # No more goes than has to.
    if dropped:
        assert used_bytes + dropped[-1].size_bytes > budget_bytes


def test_a_tier_is_its_files_and_what_finer_ones_still_hold() -> None:
    files = [
        replace(FILE, name=f"{tier}{is_rolled}", tier=tier, is_rolled=is_rolled)
        for tier in Tier
        for is_rolled in (True, False)
    ]
    names = {tier: [each.name for each in choose_files(files, tier)] for tier in Tier}
    assert names[Tier.SAMPLE] == ["sampleTrue", "sampleFalse"]
    assert names[Tier.HOUR] == ["sampleFalse", "minuteFalse", "hourTrue", "hourFalse"]
    assert names[Tier.SITE_HOUR] == ["sampleFalse", "site_hourTrue", "site_hourFalse"]


@given(st.lists(st.sets(st.integers(0, 20)), min_size=21, max_size=21), st.integers(0, 20), st.integers(1, 5))
def test_each_has_its_turn_however_many_come(others: list[set[int]], own: int, count: int) -> None:
    """Whatever comes and goes beside it, one that waits is passed by none of the twenty others twice."""
    last: int | None = None
    for keys in others:
        turns = choose_turns({*keys, own}, last, count)
        assert len(set(turns)) == len(turns) == min(count, len({*keys, own}))
        if own in turns:
            return
        last = turns[-1]
    raise AssertionError("it had no turn")


def test_windows_on_time_go_first_and_late_ones_in_turn() -> None:
    now_ms = 10 * DAY_MS
    late = [Window("A", n * WINDOW_MS) for n in range(FOLDS_AT_ONCE + 2)]
    on_time = [Window(region, now_ms - n * WINDOW_MS) for region in "AB" for n in range(1, FOLDS_AT_ONCE)]
    first = choose_windows([*late, *on_time], None, now_ms)
    assert first[:FOLDS_AT_ONCE] == sorted(on_time, key=lambda each: (each.start_ms, each.region))[:FOLDS_AT_ONCE]
    assert first[FOLDS_AT_ONCE:] == late[:FOLDS_AT_ONCE]
    assert choose_windows(late, first[-1], now_ms)[:2] == late[-2:]
    edge = Window("A", now_ms - ON_TIME_MS - WINDOW_MS)
    assert [set(each) for each in split_windows([edge], now_ms)] == [{edge}, set()]
    assert [set(each) for each in split_windows([edge], now_ms + 1)] == [set(), {edge}]


@given(st.lists(st.integers(0, INVENTORIES_SITE_BYTES_MAX), min_size=1, max_size=90))
def test_a_site_keeps_its_newest_inventories_within_its_share(sizes: list[int]) -> None:
    notes = [InventoryNote("s", "r", str(n), 1, 1, n, size) for n, size in enumerate(sizes)]
    gone = choose_forgotten(notes)
    kept = [each for each in notes if each not in gone]
    assert kept == notes[len(gone) :]
    assert 1 <= len(kept) <= INVENTORIES_SITE_MAX
    assert sum(each.size_bytes for each in kept[:-1]) <= INVENTORIES_SITE_BYTES_MAX
    # No more goes than has to.
    if gone and len(kept) < INVENTORIES_SITE_MAX:
        assert sum(each.size_bytes for each in [notes[len(gone) - 1], *kept[:-1]]) > INVENTORIES_SITE_BYTES_MAX
