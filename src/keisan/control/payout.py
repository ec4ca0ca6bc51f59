"""Commands on payouts: pay a provider what a closed statement says, once."""

from dataclasses import dataclass

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.entry import EntryKind
from keisan.domain.event import EventDraft
from keisan.domain.ids import PayoutId, ProviderId, StatementId
from keisan.domain.payout import Payout, PayoutOutcome
from keisan.domain.statement import HolderKind, Statement
from keisan.kit.ids import create_id
from keisan.ledger.journal import EntryDraft
from keisan.ledger.rule_statement import draw_payout, judge_payout
from keisan.storage.base import Transaction
from keisan.wire.payout import PayoutCreate


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a payout, the statement's payout if there is one, and what its payable holds after it."""

    outcome: PayoutOutcome
    payout: Payout | None
    payable_nano: int


async def create_payout(
    control: Control, principal: Principal, statement_id: StatementId, body: PayoutCreate
) -> Settled:
    """Post what a provider's statement says from its payable to outside, or tell why not.

    Raises PermissionDenied, or NotFound without such a statement.
    """
    principal.require(Right.WRITE_PAYOUTS)
    async with control.storage.write() as transaction:
        statement = await transaction.statements.lock(principal.scope, statement_id)
        payable_nano = await _lock_payable(transaction, statement)
        paid = await transaction.payouts.find(principal.scope, statement_id)
        outcome = judge_payout(statement, paid, body.amount_nano, payable_nano)
        if outcome is not PayoutOutcome.CREATED:
            return Settled(outcome, paid, payable_nano)
        payout = await _pay(control, transaction, statement, body.note)
        detail = {
            "statement_id": str(statement.id),
            "amount_nano": str(payout.amount_nano),
            "currency": payout.currency,
            "entry_id": str(payout.entry_id),
            "note": payout.note,
        }
        await transaction.events.append(EventDraft(name_actor(principal), "payout.created", payout.id, detail))
    return Settled(outcome, payout, payable_nano - payout.amount_nano)


async def _lock_payable(transaction: Transaction, statement: Statement) -> int:
    """Return what a provider's payable holds, locked until commit; 0 for a customer's statement."""
    if statement.holder.kind is not HolderKind.PROVIDER:
        return 0
    account_ids = await transaction.accounts.open([statement.holder.account])
    (account,) = (await transaction.accounts.lock(account_ids.values())).values()
    return account.balance_nano


async def _pay(control: Control, transaction: Transaction, statement: Statement, note: str) -> Payout:
    transfer = draw_payout(statement)
    draft = EntryDraft(EntryKind.PAYOUT, [transfer], statement.id)
    entry = await control.journal.write_entry(transaction, draft)
    payout = Payout(
        id=PayoutId(create_id()),
        platform_id=control.platform_id,
        statement_id=statement.id,
        provider_id=ProviderId(statement.holder.id),
        currency=statement.holder.currency,
        amount_nano=transfer.amount_nano,
        note=note,
        entry_id=entry.id,
        created_at=entry.created_at,
    )
    await transaction.payouts.insert(payout)
    return payout
