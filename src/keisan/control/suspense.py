"""Commands on suspense: a person charges a record that suspense paid for to its organization, or writes it off; once.

Locks are taken in one order: the record, accounts (whoever pays before suspense), the head.
"""

from dataclasses import dataclass, replace

from keisan.control.context import Control, name_actor
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.alert import AlertDraft, AlertKind
from keisan.domain.event import EventDraft
from keisan.domain.ids import KeyId, RecordId
from keisan.domain.suspense import SuspendedRecord, SuspenseOutcome, SuspenseState
from keisan.ledger.alert import raise_alerts
from keisan.ledger.journal import EntryDraft
from keisan.ledger.rule_suspense import (
    ENTRY_KINDS,
    STATES,
    count_free,
    draw_judgement,
    judge_suspended,
    name_payer,
)
from keisan.storage.base import Transaction
from keisan.wire.suspense import SuspenseJudge

EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class JudgedSuspense:
    """What came of a judgement, and the record as it is after it."""

    outcome: SuspenseOutcome
    suspended: SuspendedRecord


async def judge_suspense(
    control: Control, principal: Principal, record_id: RecordId, body: SuspenseJudge
) -> JudgedSuspense:
    """Let an organization's wallet or the platform's revenue pay suspense back, or tell why not; the usage record stays.

    Raises PermissionDenied, or NotFound for a record that suspense did not pay for.
    """
    principal.require(Right.JUDGE_RECORDS)
    async with control.storage.write() as transaction:
        # A day that is closed after this sees the charge, and waits for its statement.
        await transaction.retention.join_posting()
        suspended = await transaction.suspense.lock(principal.scope, record_id)
        state = STATES[body.verdict]
        free_nano = await _lock_payer(transaction, suspended, state)
        closed_through = (await transaction.retention.get_mark(EVERYTHING)).closed_through
        outcome = judge_suspended(suspended, body.verdict, free_nano, closed_through)
        if outcome not in (SuspenseOutcome.CHARGED, SuspenseOutcome.WRITTEN_OFF):
            return JudgedSuspense(outcome, suspended)
        judged = await _post(control, transaction, principal, replace(suspended, state=state, note=body.note))
        await transaction.suspense.judge(judged)
        await _tell(transaction, principal, judged)
    return JudgedSuspense(outcome, judged)


async def _lock_payer(transaction: Transaction, suspended: SuspendedRecord, state: SuspenseState) -> int | None:
    """Lock the account that would pay, before suspense as intake does; return what it has to spend, None without a floor."""
    account_ids = await transaction.accounts.open([name_payer(suspended, state)])
    (payer,) = (await transaction.accounts.lock(account_ids.values())).values()
    if state is not SuspenseState.CHARGED:
        return None
    organization = await transaction.organizations.get(EVERYTHING, suspended.organization_id)
    # Under the wallet's lock all that are open on it are seen.
    tickets = await transaction.tickets.list_open(EVERYTHING, [organization.id])
    return count_free(payer, organization.billing, tickets)


async def _post(
    control: Control, transaction: Transaction, principal: Principal, judged: SuspendedRecord
) -> SuspendedRecord:
    draft = EntryDraft(ENTRY_KINDS[judged.state], draw_judgement(judged, judged.state), judged.record_id)
    entry = await control.journal.write_entry(transaction, draft)
    return replace(
        judged,
        judged_by=KeyId(principal.id),
        judged_at=entry.created_at,
        entry_id=entry.id,
        entry_sequence=entry.sequence,
    )


async def _tell(transaction: Transaction, principal: Principal, judged: SuspendedRecord) -> None:
    detail = {
        "organization_id": str(judged.organization_id),
        "amount_nano": str(judged.amount_nano),
        "currency": judged.currency,
        "code": judged.code,
        "entry_id": str(judged.entry_id),
        "note": judged.note,
    }
    action = f"suspense.{judged.state}"
    await transaction.events.append(EventDraft(name_actor(principal), action, judged.record_id, detail))
    if judged.state is SuspenseState.CHARGED:
        assert judged.judged_at is not None
        alert = AlertDraft(judged.organization_id, AlertKind.RECORD_CHARGED, judged.record_id, detail)
        await raise_alerts(transaction, [alert], judged.judged_at)
