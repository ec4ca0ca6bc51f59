"""Commands on disputes: a holder opens one of its closed statement, the platform resolves it."""

from dataclasses import replace

from keisan.control.context import Control, name_actor
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.dispute import Dispute, DisputeState
from keisan.domain.entry import Entry, EntryKind
from keisan.domain.errors import InvalidInput, PermissionDenied
from keisan.domain.event import EventDraft
from keisan.domain.ids import DisputeId, RecordId, StatementId
from keisan.kit.ids import create_id
from keisan.ledger.journal import EntryDraft
from keisan.ledger.rule_statement import check_dispute_window, check_resolution, draw_adjustment
from keisan.storage.base import Transaction
from keisan.wire.dispute import DisputeCreate, DisputeResolve, DisputeVerdict


async def open_dispute(
    control: Control, principal: Principal, statement_id: StatementId, body: DisputeCreate
) -> Dispute:
    """Dispute a closed statement.

    Raises PermissionDenied, NotFound for a statement that is not the asker's, StateConflict after the window,
    InvalidInput for records that are not on the statement.
    """
    principal.require(Right.OPEN_DISPUTES)
    # The role that resolves disputes has every right of the others, but is nobody's side.
    if isinstance(principal.scope, PlatformScope):
        raise PermissionDenied("a statement is disputed by its holder")
    record_ids = tuple(RecordId(record_id) for record_id in sorted(set(body.record_ids)))
    async with control.storage.write() as transaction:
        statement = await transaction.statements.get(principal.scope, statement_id)
        check_dispute_window(statement, control.clock.now())
        if not await transaction.statement_records.has_all(principal.scope, statement.span, record_ids):
            raise InvalidInput("expected records that are on this statement", "record_ids")
        dispute = Dispute(
            id=DisputeId(create_id()),
            platform_id=control.platform_id,
            statement_id=statement.id,
            holder=statement.holder,
            reason=body.reason,
            record_ids=record_ids,
            state=DisputeState.OPEN,
            resolution="",
            amount_nano=None,
            entry_id=None,
            entry_sequence=None,
            version=1,
            created_at=control.clock.now(),
            resolved_at=None,
        )
        await transaction.disputes.insert(dispute)
        detail = {"statement_id": str(statement.id), "record_count": str(len(record_ids))}
        await transaction.events.append(EventDraft(name_actor(principal), "dispute.opened", dispute.id, detail))
    return dispute


async def resolve_dispute(
    control: Control, principal: Principal, dispute_id: DisputeId, body: DisputeResolve
) -> Dispute:
    """Reject a dispute, or uphold it and move an amount to its holder.

    Raises PermissionDenied, NotFound, InvalidInput for an upheld one without an amount or a rejected one with one,
    StateConflict for one that is resolved, LimitExceeded for more than the statement says.
    """
    principal.require(Right.RESOLVE_DISPUTES)
    if (body.verdict is DisputeVerdict.UPHELD) is (body.amount_nano is None):
        raise InvalidInput("expected an amount if the dispute is upheld, and none if it is rejected", "amount_nano")
    async with control.storage.write() as transaction:
        found = await transaction.disputes.get(principal.scope, dispute_id)
        # Whoever resolves disputes of this statement waits here; only then is it known what others have moved.
        statement = await transaction.statements.lock(principal.scope, found.statement_id)
        siblings = await transaction.disputes.list_statement(principal.scope, statement.id)
        (dispute,) = (each for each in siblings if each.id == dispute_id)
        upheld_nano = sum(each.amount_nano or 0 for each in siblings)
        state = check_resolution(statement, dispute, upheld_nano, body.amount_nano)
        resolved = replace(
            dispute,
            state=state,
            resolution=body.resolution,
            resolved_at=control.clock.now(),
            version=dispute.version + 1,
        )
        if body.amount_nano is not None:
            entry = await _move(control, transaction, dispute, body.amount_nano)
            resolved = replace(resolved, amount_nano=body.amount_nano, entry_id=entry.id, entry_sequence=entry.sequence)
        await transaction.disputes.update(resolved)
        await transaction.events.append(_describe(principal, resolved))
    return resolved


async def _move(control: Control, transaction: Transaction, dispute: Dispute, amount_nano: int) -> Entry:
    draft = EntryDraft(EntryKind.DISPUTE, [draw_adjustment(dispute.holder, amount_nano)], dispute.id)
    return await control.journal.write_entry(transaction, draft)


def _describe(principal: Principal, resolved: Dispute) -> EventDraft:
    detail = {"statement_id": str(resolved.statement_id), "resolution": resolved.resolution}
    if resolved.amount_nano is not None:
        detail |= {"amount_nano": str(resolved.amount_nano), "entry_id": str(resolved.entry_id)}
    return EventDraft(name_actor(principal), f"dispute.{resolved.state}", resolved.id, detail)
