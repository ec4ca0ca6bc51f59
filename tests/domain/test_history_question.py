"""Which tier answers a question, in which steps."""

from dataclasses import replace

import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.history import DAY_MS, HOUR_MS, MINUTE_MS, HistoryTerms, Tier
from keisan.domain.history_question import (
    FIELDS_DEFAULT,
    RANGE_MS_MAX,
    HistoryGroup,
    HistoryPlan,
    HistoryQuestion,
    plan_question,
)
from keisan.domain.sample import SampleName

NOW_MS = 20_000 * DAY_MS
LAST_HOUR = HistoryQuestion(FIELDS_DEFAULT, HistoryGroup.DEVICE, NOW_MS - HOUR_MS, NOW_MS)
ENERGY = (SampleName.ENERGY_KILOJOULES,)


def plan(question: HistoryQuestion) -> HistoryPlan:
    return plan_question(question, HistoryTerms(), NOW_MS)


@pytest.mark.parametrize(
    ("step_ms", "group", "tier"),
    [
        (0, HistoryGroup.DEVICE, Tier.SAMPLE),
        (10_000, HistoryGroup.REGION, Tier.SAMPLE),
        (MINUTE_MS + 1, HistoryGroup.DEVICE, Tier.SAMPLE),
        (MINUTE_MS, HistoryGroup.REGION, Tier.MINUTE),
        (90 * MINUTE_MS, HistoryGroup.DEVICE, Tier.MINUTE),
        (HOUR_MS, HistoryGroup.NODE, Tier.HOUR),
        (HOUR_MS, HistoryGroup.PLATFORM, Tier.SITE_HOUR),
        (2 * DAY_MS, HistoryGroup.DEVICE, Tier.DAY),
        (DAY_MS, HistoryGroup.SITE, Tier.SITE_HOUR),
    ],
)
def test_the_coarsest_tier_that_has_the_step_answers(step_ms: int, group: HistoryGroup, tier: Tier) -> None:
    found = plan(replace(LAST_HOUR, step_ms=step_ms, group=group))
    assert (found.tier, found.step_ms) == (tier, step_ms)


@pytest.mark.parametrize(
    ("range_ms", "group", "step_ms"),
    [
        (HOUR_MS, HistoryGroup.DEVICE, 10_000),
        (DAY_MS, HistoryGroup.DEVICE, MINUTE_MS),
        (7 * DAY_MS, HistoryGroup.DEVICE, 10 * MINUTE_MS),
        (30 * MINUTE_MS, HistoryGroup.REGION, 10_000),
        (7 * DAY_MS, HistoryGroup.REGION, HOUR_MS),
        (30 * DAY_MS, HistoryGroup.PLATFORM, DAY_MS),
        (RANGE_MS_MAX, HistoryGroup.PLATFORM, DAY_MS),
    ],
)
def test_a_range_has_a_step_that_suits_it(range_ms: int, group: HistoryGroup, step_ms: int) -> None:
    assert plan(replace(LAST_HOUR, since_ms=NOW_MS - range_ms, group=group)).step_ms == step_ms


def test_steps_are_whole() -> None:
    question = replace(LAST_HOUR, since_ms=NOW_MS - HOUR_MS - 1, until_ms=NOW_MS - 1, step_ms=HOUR_MS)
    assert plan(question) == HistoryPlan(Tier.HOUR, HOUR_MS, NOW_MS - 2 * HOUR_MS, NOW_MS)


@pytest.mark.parametrize(
    ("age_days", "step_ms", "tier", "found_ms"),
    [
        (2, 0, Tier.SAMPLE, 0),
        (3, 0, Tier.MINUTE, MINUTE_MS),
        (3, 90_000, Tier.MINUTE, MINUTE_MS),
        (31, MINUTE_MS, Tier.HOUR, HOUR_MS),
        (31, 150 * MINUTE_MS, Tier.HOUR, 2 * HOUR_MS),
        (2000, HOUR_MS, Tier.DAY, DAY_MS),
    ],
)
def test_what_is_not_kept_any_more_is_answered_in_coarser_steps(
    age_days: int, step_ms: int, tier: Tier, found_ms: int
) -> None:
    since_ms = NOW_MS - age_days * DAY_MS
    found = plan(replace(LAST_HOUR, since_ms=since_ms, until_ms=since_ms + DAY_MS, step_ms=step_ms))
    assert (found.tier, found.step_ms) == (tier, found_ms)


def test_counters_are_never_read_from_rows_of_sites() -> None:
    found = plan(replace(LAST_HOUR, fields=ENERGY, group=HistoryGroup.REGION, step_ms=HOUR_MS))
    assert found.tier is Tier.HOUR


@pytest.mark.parametrize("named", [{"node": "n"}, {"device": "d"}, {"supernode": "s"}])
def test_a_part_of_a_site_is_never_read_from_rows_of_sites(named: dict[str, str]) -> None:
    found = plan(replace(LAST_HOUR, group=HistoryGroup.REGION, step_ms=HOUR_MS, **named))  # type: ignore[arg-type]  # texts
    assert found.tier is Tier.HOUR


@pytest.mark.parametrize(
    "wrong",
    [
        {"until_ms": NOW_MS - HOUR_MS},
        {"since_ms": NOW_MS - RANGE_MS_MAX - 1},
        {"step_ms": -1},
        {"step_ms": 0, "group": HistoryGroup.NODE},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        plan(replace(LAST_HOUR, **wrong))  # type: ignore[arg-type]  # each is of its field's type
