"""The state table of challenges."""

import pytest

from keisan.domain.challenge import CHALLENGE_TRANSITIONS, ChallengeState, can_move_challenge


def test_every_state_can_come_to_be_judged_and_nothing_follows() -> None:
    assert set(CHALLENGE_TRANSITIONS) == set(ChallengeState)
    for before in ChallengeState:
        is_last = before is ChallengeState.JUDGED
        assert can_move_challenge(before, ChallengeState.JUDGED) is not is_last
    assert not CHALLENGE_TRANSITIONS[ChallengeState.JUDGED]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ChallengeState.PLANNED, ChallengeState.COMMITTED),
        (ChallengeState.ANSWERED, ChallengeState.COMMITTED),
        (ChallengeState.COMMITTED, ChallengeState.COMMITTED),
        (ChallengeState.ISSUED, ChallengeState.PLANNED),
    ],
)
def test_no_commitment_before_the_order_and_no_second_one(before: ChallengeState, after: ChallengeState) -> None:
    assert not can_move_challenge(before, after)
