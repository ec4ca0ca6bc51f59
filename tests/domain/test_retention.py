"""Retention's choice: only what is over its time, what is longest over it first, and nothing without a rule."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.retention import RetentionKind, RetentionRule, choose_step
from tests.domain.samples import NOW

OLDEST = st.dictionaries(
    st.sampled_from(RetentionKind),
    # Half days, so that many are exactly as old as they may get.
    st.integers(min_value=-1, max_value=10).map(lambda halves: NOW - timedelta(hours=12 * halves)),
)
RULES = st.dictionaries(st.sampled_from(RetentionKind), st.integers(min_value=1, max_value=4)).map(
    lambda days: tuple(RetentionRule(kind, kept_days) for kind, kept_days in days.items())
)


@given(RULES, OLDEST)
def test_step_is_of_what_is_longest_over_its_time(
    rules: tuple[RetentionRule, ...], oldest: dict[RetentionKind, datetime]
) -> None:
    over = {
        rule.kind: NOW - timedelta(days=rule.kept_days) - oldest[rule.kind] for rule in rules if rule.kind in oldest
    }
    over = {kind: late for kind, late in over.items() if late > timedelta(0)}
    step = choose_step(rules, oldest, NOW)
    if step is None:
        assert over == {}
    else:
        assert step.rule in rules
        assert step.cutoff == NOW - timedelta(days=step.rule.kept_days)
        assert over[step.rule.kind] == max(over.values())
