"""Commands on quarantine: a person has a refused record handed in again, or discards it; once, and its bytes stay."""

from dataclasses import dataclass, replace

from keisan.control.context import Control, name_actor
from keisan.domain.access import MachineKind, PlatformScope, Principal, Right
from keisan.domain.errors import NotFound
from keisan.domain.event import EventDraft
from keisan.domain.ids import KeyId, MachineId, QuarantineId
from keisan.domain.quarantine import QuarantinedRecord, QuarantineOutcome, QuarantineVerdict
from keisan.domain.usage import IntakeOutcome
from keisan.ledger.intake import accept_within
from keisan.ledger.rule import RefusalCode
from keisan.ledger.rule_quarantine import STATES, check_verdict, read_outcome
from keisan.storage.base import Transaction
from keisan.wire.quarantine import QuarantineJudge
from keisan.wire.usage_record import parse_usage_record

EVERYTHING = PlatformScope()
UNCHANGED = (QuarantineOutcome.REFUSED, QuarantineOutcome.NEVER_ACCEPTABLE)


@dataclass(frozen=True, slots=True)
class JudgedQuarantine:
    """What came of a judgement, why intake refused the record again or had suspense pay, and the record after it."""

    outcome: QuarantineOutcome
    code: str
    quarantined: QuarantinedRecord


async def judge_quarantine(
    control: Control, principal: Principal, quarantine_id: QuarantineId, body: QuarantineJudge
) -> JudgedQuarantine:
    """Hand a quarantined record to intake again, by the same rules as any other, or discard it, or tell why not.

    Raises PermissionDenied, NotFound, or StorageUnavailable if nothing was committed.
    """
    principal.require(Right.JUDGE_RECORDS)
    async with control.storage.write() as transaction:
        found = await transaction.quarantine.lock(principal.scope, quarantine_id)
        refusal = check_verdict(found, body.verdict)
        if refusal is not None:
            return JudgedQuarantine(refusal, found.code, found)
        outcome, code = QuarantineOutcome.DISCARDED, found.code
        if body.verdict is QuarantineVerdict.ACCEPT:
            outcome, code = await _hand_in(control, transaction, found)
        if outcome in UNCHANGED:
            return JudgedQuarantine(outcome, code, found)
        judged = replace(
            found,
            state=STATES[body.verdict],
            note=body.note,
            judged_by=KeyId(principal.id),
            judged_at=control.clock.now(),
        )
        await transaction.quarantine.judge(judged)
        await transaction.events.append(_describe(principal, judged, outcome))
    return JudgedQuarantine(outcome, code, judged)


async def _hand_in(
    control: Control, transaction: Transaction, found: QuarantinedRecord
) -> tuple[QuarantineOutcome, str]:
    gateway_id = await _find_writer(transaction, found)
    (answer,) = await accept_within(transaction, control.journal, gateway_id, [found.text])
    code = str(answer.outcome) if answer.outcome is IntakeOutcome.DIFFERS else answer.code
    return read_outcome(answer.outcome), code


async def _find_writer(transaction: Transaction, found: QuarantinedRecord) -> MachineId:
    """Return the gateway in whose name a record is handed in.

    Of a record that another gateway handed in this is the one that it names, if there was such a gateway: that it is this
    one's, although nobody revoked it, is what the person has judged. Of any other it is the one that handed it in.
    """
    if found.code != RefusalCode.WRONG_GATEWAY:
        return found.gateway_id
    named_id = parse_usage_record(found.text).context.gateway_id
    try:
        named = await transaction.machines.get(EVERYTHING, named_id)
    except NotFound:
        return found.gateway_id
    return named.id if named.kind is MachineKind.GATEWAY else found.gateway_id


def _describe(principal: Principal, judged: QuarantinedRecord, outcome: QuarantineOutcome) -> EventDraft:
    detail = {
        "digest": judged.digest,
        "code": judged.code,
        "gateway_id": str(judged.gateway_id),
        "outcome": str(outcome),
        "note": judged.note,
    }
    return EventDraft(name_actor(principal), f"quarantine.{judged.state}", judged.id, detail)
