"""Rules of quarantine: what a person may accept at all, and what becomes of a judgement. Values in, values out."""

from keisan.domain.quarantine import (
    QUARANTINE_TRANSITIONS,
    QuarantinedRecord,
    QuarantineOutcome,
    QuarantineState,
    QuarantineVerdict,
)
from keisan.domain.usage import IntakeOutcome
from keisan.ledger.rule import RefusalCode

STATES = {QuarantineVerdict.ACCEPT: QuarantineState.ACCEPTED, QuarantineVerdict.DISCARD: QuarantineState.DISCARDED}
# All others are faults of the bytes themselves, or of a claim that would be made a second time. These are faults of what
# the platform knew: of whose gateway it was, which a person may know better, and of what may have come since.
ACCEPTABLE = frozenset(
    {
        RefusalCode.WRONG_GATEWAY,
        RefusalCode.WRONG_CLOCK,
        RefusalCode.UNKNOWN_KEY,
        RefusalCode.UNKNOWN_PRICE,
        RefusalCode.UNKNOWN_REPLICA,
    }
)
_OF_INTAKE = {
    IntakeOutcome.CREATED: QuarantineOutcome.ACCEPTED,
    IntakeOutcome.EXISTS: QuarantineOutcome.EXISTS,
    IntakeOutcome.DIFFERS: QuarantineOutcome.NEVER_ACCEPTABLE,
    IntakeOutcome.REFUSED: QuarantineOutcome.REFUSED,
}


def check_verdict(quarantined: QuarantinedRecord, verdict: QuarantineVerdict) -> QuarantineOutcome | None:
    """Return why a verdict is not followed, or None if it is: what is accepted is judged by intake then."""
    if STATES[verdict] not in QUARANTINE_TRANSITIONS[quarantined.state]:
        return QuarantineOutcome.ALREADY_JUDGED
    if verdict is QuarantineVerdict.ACCEPT and quarantined.code not in ACCEPTABLE:
        return QuarantineOutcome.NEVER_ACCEPTABLE
    return None


def read_outcome(outcome: IntakeOutcome) -> QuarantineOutcome:
    """Return what intake's answer makes of an acceptance."""
    return _OF_INTAKE[outcome]
