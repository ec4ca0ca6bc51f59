"""Rules of quarantine: judged once, and what is wrong in itself is never accepted."""

from dataclasses import replace
from itertools import product

import pytest

from keisan.domain.quarantine import (
    QuarantinedRecord,
    QuarantineOutcome,
    QuarantineState,
    QuarantineVerdict,
    name_quarantined,
)
from keisan.domain.usage import IntakeOutcome
from keisan.ledger.rule import RefusalCode
from keisan.ledger.rule_quarantine import check_verdict, read_outcome
from tests.domain.samples import GATEWAY_ID
from tests.factories import NOW

DIGEST = "ab" * 32
RECORD = QuarantinedRecord(name_quarantined(DIGEST), DIGEST, b"x", "wrong_gateway", GATEWAY_ID, NOW)
MENDABLE = {"wrong_gateway", "wrong_clock", "unknown_key", "unknown_price", "unknown_replica"}


@pytest.mark.parametrize("code", [*RefusalCode, IntakeOutcome.DIFFERS, "of a later release"])
def test_only_what_a_person_may_know_better_is_accepted(code: str) -> None:
    found = replace(RECORD, code=str(code))
    expected = None if code in MENDABLE else QuarantineOutcome.NEVER_ACCEPTABLE
    assert check_verdict(found, QuarantineVerdict.ACCEPT) is expected
    assert check_verdict(found, QuarantineVerdict.DISCARD) is None


@pytest.mark.parametrize(("state", "verdict"), list(product(QuarantineState, QuarantineVerdict)))
def test_what_is_judged_is_judged_for_good(state: QuarantineState, verdict: QuarantineVerdict) -> None:
    expected = None if state is QuarantineState.QUARANTINED else QuarantineOutcome.ALREADY_JUDGED
    assert check_verdict(replace(RECORD, state=state), verdict) is expected


def test_every_answer_of_intake_is_an_outcome() -> None:
    outcomes = {outcome: read_outcome(outcome) for outcome in IntakeOutcome}
    assert outcomes[IntakeOutcome.CREATED] is QuarantineOutcome.ACCEPTED
    assert len(set(outcomes.values())) == len(IntakeOutcome)
    assert QuarantineOutcome.DISCARDED not in outcomes.values()
