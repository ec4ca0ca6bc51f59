"""What may come as a challenge's bodies."""

from uuid import uuid4

import pytest
from pydantic import ValidationError

from keisan.domain.challenge import Workload
from keisan.domain.limits import CHALLENGE_LEAF_CHARACTERS_MAX, CHALLENGE_POSITIONS
from keisan.wire.challenge import ChallengeAnswer, ChallengeCommit, ChallengeLeaf, ChallengeStart

LEAF = ChallengeLeaf(content="AAAA", path=("ab" * 32,))


def test_start_asks_for_single_precision_and_disturbs_nobody() -> None:
    body = ChallengeStart(site_id=uuid4())
    assert (body.workload, body.claim_per_s, body.may_disturb) == (Workload.FP32, None, False)


@pytest.mark.parametrize("claim_per_s", [0, -1, 2**63])
def test_claim_is_a_rate_that_can_be_stored(claim_per_s: int) -> None:
    with pytest.raises(ValidationError):
        ChallengeStart(site_id=uuid4(), claim_per_s=claim_per_s)


@pytest.mark.parametrize("commitment", ["", "ab", "AB" * 32, "xy" * 32])
def test_commitment_is_a_digest_or_none(commitment: str) -> None:
    with pytest.raises(ValidationError):
        ChallengeCommit(commitment=commitment, told_us=1)
    assert ChallengeCommit(commitment=None, told_us=0, message="a\x00b").message == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("content", ["!", "A" * (CHALLENGE_LEAF_CHARACTERS_MAX + 4)])
def test_part_is_base64_of_a_row_at_most(content: str) -> None:
    with pytest.raises(ValidationError):
        ChallengeLeaf(content=content, path=())


def test_answer_has_as_many_parts_as_are_asked_for_at_most() -> None:
    assert len(ChallengeAnswer(leaves=(LEAF,) * CHALLENGE_POSITIONS).leaves) == CHALLENGE_POSITIONS
    with pytest.raises(ValidationError):
        ChallengeAnswer(leaves=(LEAF,) * (CHALLENGE_POSITIONS + 1))
