"""Top-ups: what one key's word does in each state, and that no way leads back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.ids import KeyId
from keisan.domain.top_up import TOP_UP_TRANSITIONS, TopUpOutcome, TopUpState, decide_outcome, is_over
from tests.domain.samples import KEY_ID, NOW, build_top_up, name_id

OTHER = KeyId(name_id(3, 2))
END = NOW + timedelta(days=7)
LAST = END - timedelta(microseconds=1)
Outcome, S = TopUpOutcome, TopUpState


@pytest.mark.parametrize(
    ("key_id", "is_approval", "outcome"),
    [
        (OTHER, True, Outcome.POSTED),
        (OTHER, False, Outcome.REJECTED),
        (KEY_ID, True, Outcome.SELF_APPROVAL),
        (KEY_ID, False, Outcome.REJECTED),
    ],
)
def test_word_on_a_proposed_one(key_id: KeyId, is_approval: bool, outcome: TopUpOutcome) -> None:
    proposed = build_top_up()
    assert decide_outcome(proposed, key_id, is_approval=is_approval, now=LAST) is outcome
    assert decide_outcome(proposed, key_id, is_approval=is_approval, now=END) is Outcome.ALREADY_DECIDED


@given(
    st.sampled_from(sorted(set(TopUpState) - {S.PROPOSED})),
    st.sampled_from([KEY_ID, OTHER]),
    st.booleans(),
    st.timedeltas(timedelta(0), timedelta(days=30)),
)
def test_what_is_decided_stays_so(state: TopUpState, key_id: KeyId, is_approval: bool, later: timedelta) -> None:
    decided = build_top_up(state=state)
    assert decide_outcome(decided, key_id, is_approval=is_approval, now=NOW + later) is Outcome.ALREADY_DECIDED
    assert not is_over(decided, NOW + later)
    assert TOP_UP_TRANSITIONS[state] == frozenset()


def test_only_what_is_proposed_ends() -> None:
    assert (is_over(build_top_up(), LAST), is_over(build_top_up(), END)) == (False, True)
    assert not is_over(build_top_up(state=S.POSTED, expires_at=None), END)


def test_outcomes_that_change_something_are_states() -> None:
    assert {S(Outcome.POSTED), S(Outcome.REJECTED)} < TOP_UP_TRANSITIONS[S.PROPOSED]
