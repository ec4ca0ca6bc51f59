"""Commands on top-ups and credit notes: make one, and decide on one that takes two people.

A posted one is final; a correction is a new entry. Locks are taken in one order: the top-up, accounts, the head.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from keisan.control.context import Control, check_own, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.alert import AlertDraft, AlertKind
from keisan.domain.entry import EntryKind
from keisan.domain.errors import AlreadyDecided, InvalidInput, NotFound, SelfApproval
from keisan.domain.event import EventDraft
from keisan.domain.ids import EntryId, KeyId, OrganizationId, RecordId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import TOP_UP_PROPOSED_S
from keisan.domain.top_up import TopUp, TopUpKind, TopUpOutcome, TopUpState, decide_outcome
from keisan.kit.ids import create_id
from keisan.ledger.alert import raise_alerts
from keisan.ledger.journal import EntryDraft
from keisan.storage.base import Transaction
from keisan.wire.top_up import TopUpCreate

# Where the money of each kind comes from.
SOURCES = {TopUpKind.TOP_UP: AccountKind.OUTSIDE, TopUpKind.CREDIT_NOTE: AccountKind.PLATFORM_REVENUE}
ENTRY_KINDS = {TopUpKind.TOP_UP: EntryKind.TOP_UP, TopUpKind.CREDIT_NOTE: EntryKind.CREDIT_NOTE}
POSTED_ACTIONS = {TopUpKind.TOP_UP: "organization.topped_up", TopUpKind.CREDIT_NOTE: "organization.credited"}


async def create_top_up(
    control: Control, principal: Principal, organization_id: OrganizationId, body: TopUpCreate
) -> TopUp:
    """Post an amount to an organization's wallet, or propose it where it is more than one admin alone may post.

    Raises PermissionDenied, NotFound without such an organization or record, InvalidInput for a credit note without a reason,
    or a top-up that names what only a credit note gives back for.
    """
    principal.require(Right.WRITE_TOP_UPS)
    _check_body(body)
    now = control.clock.now()
    async with control.storage.write() as transaction:
        organization = await transaction.organizations.get(principal.scope, organization_id)
        check_own(control, organization.platform_id)
        await _check_record(transaction, principal, organization_id, body.record_id)
        limit_nano = (await transaction.platform.get()).four_eyes_nano.get(body.currency)
        is_proposed = limit_nano is not None and body.amount_nano > limit_nano
        top_up = TopUp(
            id=EntryId(create_id()),
            platform_id=control.platform_id,
            organization_id=organization.id,
            kind=body.kind,
            currency=body.currency,
            amount_nano=body.amount_nano,
            note=body.note,
            record_id=None if body.record_id is None else RecordId(body.record_id),
            statement_id=body.statement_id,
            state=TopUpState.PROPOSED,
            proposed_by=KeyId(principal.id),
            decided_by=None,
            decided_at=None,
            expires_at=now + timedelta(seconds=TOP_UP_PROPOSED_S) if is_proposed else None,
            balance_nano=None,
            version=1,
            created_at=now,
        )
        if is_proposed:
            await transaction.top_ups.insert(top_up)
            await _tell_proposed(transaction, principal, top_up, now)
            return top_up
        posted = replace(
            top_up,
            state=TopUpState.POSTED,
            decided_at=now,
            balance_nano=await _post(control, transaction, principal, top_up),
        )
        await transaction.top_ups.insert(posted)
        await _note_posted(transaction, principal, posted)
    return posted


async def approve_top_up(control: Control, principal: Principal, top_up_id: EntryId) -> TopUp:
    """Post what another key proposed; it is posted once, whoever approves it at the same moment.

    Raises PermissionDenied, SelfApproval for the key that proposed it, NotFound, AlreadyDecided.
    """
    return await _decide(control, principal, top_up_id, is_approval=True)


async def reject_top_up(control: Control, principal: Principal, top_up_id: EntryId) -> TopUp:
    """End what was proposed without a posting; its proposer may, too.

    Raises PermissionDenied, NotFound, AlreadyDecided.
    """
    return await _decide(control, principal, top_up_id, is_approval=False)


async def _decide(control: Control, principal: Principal, top_up_id: EntryId, *, is_approval: bool) -> TopUp:
    principal.require(Right.WRITE_TOP_UPS)
    now, key_id = control.clock.now(), KeyId(principal.id)
    async with control.storage.write() as transaction:
        stored = await transaction.top_ups.lock(principal.scope, top_up_id)
        outcome = decide_outcome(stored, key_id, is_approval=is_approval, now=now)
        if outcome is TopUpOutcome.SELF_APPROVAL:
            raise SelfApproval("this key proposed it; another admin's key approves it")
        if outcome is TopUpOutcome.ALREADY_DECIDED:
            ended = "expired" if stored.state is TopUpState.PROPOSED else stored.state
            raise AlreadyDecided(f"this is {ended}")
        decided = replace(
            stored,
            state=TopUpState(outcome),
            decided_by=key_id,
            decided_at=now,
            balance_nano=await _post(control, transaction, principal, stored) if is_approval else None,
            version=stored.version + 1,
        )
        await transaction.top_ups.update(decided)
        if is_approval:
            await _note(transaction, principal, "top_up.approved", decided)
            await _note_posted(transaction, principal, decided)
        else:
            await _note(transaction, principal, "top_up.rejected", decided)
    return decided


def _check_body(body: TopUpCreate) -> None:
    if body.kind is TopUpKind.CREDIT_NOTE and not body.note.strip():
        raise InvalidInput("a credit note says why", "note")
    if body.kind is TopUpKind.TOP_UP and (body.record_id or body.statement_id):
        raise InvalidInput("only a credit note gives back for a record or a statement", "kind")


async def _check_record(
    transaction: Transaction, principal: Principal, organization_id: OrganizationId, record_id: UUID | None
) -> None:
    if record_id is None:
        return
    posted = await transaction.usage.get(principal.scope, RecordId(record_id))
    if posted.record.context.organization_id != organization_id:
        raise NotFound(f"this organization has no record {record_id}")


async def _post(control: Control, transaction: Transaction, principal: Principal, top_up: TopUp) -> int:
    """Move the money and return the wallet's balance after it."""
    source = AccountKey(SOURCES[top_up.kind], None, None, top_up.currency)
    wallet = AccountKey(AccountKind.WALLET, top_up.organization_id, None, top_up.currency)
    transfers = [Transfer(source, wallet, top_up.amount_nano)]
    draft = EntryDraft(ENTRY_KINDS[top_up.kind], transfers, top_up.organization_id, id=top_up.id)
    await control.journal.write_entry(transaction, draft)
    wallet_id = (await transaction.accounts.open([wallet]))[wallet]
    return (await transaction.accounts.get(principal.scope, wallet_id)).balance_nano


async def _tell_proposed(transaction: Transaction, principal: Principal, top_up: TopUp, now: datetime) -> None:
    await _note(transaction, principal, "top_up.proposed", top_up)
    # The platform's own webhooks hear of it: somebody else has to look.
    await raise_alerts(transaction, [AlertDraft(None, AlertKind.TOP_UP_PROPOSED, top_up.id, _describe(top_up))], now)
    assert top_up.expires_at is not None, "what is proposed ends"
    await transaction.outbox.put(WorkNoun.TOP_UP, top_up.id, top_up.expires_at)


async def _note(transaction: Transaction, principal: Principal, action: str, top_up: TopUp) -> None:
    await transaction.events.append(EventDraft(name_actor(principal), action, top_up.id, _describe(top_up)))


async def _note_posted(transaction: Transaction, principal: Principal, top_up: TopUp) -> None:
    references = {"record_id": top_up.record_id, "statement_id": top_up.statement_id}
    detail = {
        "amount_nano": str(top_up.amount_nano),
        "currency": top_up.currency,
        "note": top_up.note,
        "entry_id": str(top_up.id),
        **{name: str(value) for name, value in references.items() if value is not None},
    }
    action = POSTED_ACTIONS[top_up.kind]
    await transaction.events.append(EventDraft(name_actor(principal), action, top_up.organization_id, detail))


def _describe(top_up: TopUp) -> dict[str, str]:
    return {
        "organization_id": str(top_up.organization_id),
        "kind": str(top_up.kind),
        "amount_nano": str(top_up.amount_nano),
        "currency": top_up.currency,
        "note": top_up.note,
        "proposed_by": str(top_up.proposed_by),
    }
