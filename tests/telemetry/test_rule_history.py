"""Decisions of history: what is rolled up and merged when, and what goes first when there is no room."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.history import DAY_MS, HOUR_MS, MINUTE_MS, WINDOW_MS, HistoryFile, HistoryTerms, Month, Tier
from keisan.telemetry.rule_history import choose_expired, choose_files, choose_merge, choose_roll, plan_room

MONTH = Month("CN-SX", "2026-11")
FILE = HistoryFile("a", Tier.SAMPLE, 0, WINDOW_MS, 1, 100, 0)
WINDOWS = [replace(FILE, name=str(n), start_ms=n * WINDOW_MS, until_ms=(n + 1) * WINDOW_MS) for n in range(6)]
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
