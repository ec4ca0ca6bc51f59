"""Commands on statements: preview an open one, close a period.

A period closes holder by holder, each in one transaction, so a run that broke off goes on when it is run again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from keisan.control.context import Control, name_actor
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.errors import NotFound, RecordsArchived, StorageUnavailable
from keisan.domain.event import EventDraft
from keisan.domain.ids import StatementId
from keisan.domain.retention import is_through
from keisan.domain.statement import (
    CloseOutcome,
    Period,
    RecordsSeal,
    Statement,
    StatementContent,
    StatementHolder,
    StatementSpan,
    StatementState,
    find_period,
    is_seen,
    name_period,
    parse_period,
)
from keisan.domain.statement_document import digest_document, write_document
from keisan.kit.clock import from_milliseconds, to_milliseconds
from keisan.kit.ids import create_id
from keisan.ledger.rule_statement import check_closing
from keisan.ledger.statement import check_seal, draw_statement, find_span, seal_records
from keisan.storage.base import Transaction
from keisan.wire.statement import PreviewQuery, StatementClose

EVERYTHING = PlatformScope()
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A statement that is drawn and sealed, and not stored: it follows `last`, the holder's last one."""

    content: StatementContent
    span: StatementSpan
    seal: RecordsSeal
    last: Statement | None


async def draw_open_statement(control: Control, principal: Principal, query: PreviewQuery) -> StatementContent:
    """Return a holder's open statement; raises PermissionDenied, or NotFound for a holder outside the asker's scope."""
    principal.require(Right.READ)
    holder = StatementHolder(query.holder_kind, query.holder_id, query.currency)
    period = parse_period(query.period) if query.period else find_period(control.clock.now().date())
    if not is_seen(holder, principal.scope):
        raise NotFound(f"there is no {holder.kind} {holder.id}")
    async with control.storage.read() as view:
        await _check_stored(view, holder, period)
        return await draw_statement(view, principal.scope, holder, period)


async def _check_stored(view: Transaction, holder: StatementHolder, period: Period) -> None:
    """Raise RecordsArchived if records of the period may have left the database: those of whom closed it."""
    mark = await view.retention.get_mark(EVERYTHING)
    is_archived = is_through(period.first_day, mark.archived_through)
    if is_archived and await view.statements.find(EVERYTHING, holder, period) is not None:
        raise RecordsArchived(f"{name_period(period)} is closed and in the archive: its closed statement says all")


async def close_period(control: Control, principal: Principal, body: StatementClose) -> Mapping[CloseOutcome, int]:
    """Close a period of all holders, or of one, and return how many came to which outcome.

    Raises PermissionDenied, or StateConflict before the period's records are no longer awaited.
    """
    principal.require(Right.WRITE_STATEMENTS)
    period = parse_period(body.period)
    check_closing(period, control.clock.now())
    async with control.storage.write() as transaction:
        await transaction.statement_records.await_posting()
    async with control.storage.read() as view:
        holders = await view.statement_records.list_holders(EVERYTHING)
    counts = Counter[CloseOutcome]()
    for holder in holders:
        if body.holder_id in (None, holder.id):
            counts[await _close_statement(control, name_actor(principal), holder, period)] += 1
    return counts


async def _close_statement(control: Control, actor: str, holder: StatementHolder, period: Period) -> CloseOutcome:
    """Close one statement: drawn from a view, so that writers need not wait for it, and stored in one transaction.

    What comes between view and transaction is in later entries than the view's last one, and so on the next statement.
    """
    async with control.storage.read() as view:
        drafted = await _prepare_statement(view, holder, period)
    if isinstance(drafted, CloseOutcome):
        return drafted
    statement = _sign_statement(control, drafted)
    async with control.storage.write() as transaction:
        # All who close this holder's statements wait for each other here.
        account_ids = await transaction.accounts.open([holder.account])
        await transaction.accounts.lock(account_ids.values())
        if await transaction.statements.find(EVERYTHING, holder, period) is not None:
            return CloseOutcome.EXISTS
        if await _find_last_id(transaction, holder) != (drafted.last.id if drafted.last else None):
            raise StorageUnavailable("another statement of this holder was closed meanwhile; close this one again")
        await transaction.statements.insert(statement)
        detail = {
            "period": name_period(period),
            "holder_kind": str(holder.kind),
            "holder_id": str(holder.id),
            "currency": holder.currency,
            "amount_nano": str(statement.totals.amount_nano),
            "document_sha256": statement.document_sha256,
        }
        await transaction.events.append(EventDraft(actor, "statement.closed", statement.id, detail))
    return CloseOutcome.CLOSED


async def _prepare_statement(view: Transaction, holder: StatementHolder, period: Period) -> _Draft | CloseOutcome:
    """Return a statement that may be closed, or why there is none to close."""
    last = await view.statements.find_last(EVERYTHING, holder)
    if last is not None and last.period.first_day >= period.first_day:
        is_closed = await view.statements.find(EVERYTHING, holder, period) is not None
        return CloseOutcome.EXISTS if is_closed else CloseOutcome.PASSED
    content = await draw_statement(view, EVERYTHING, holder, period)
    span = find_span(content, last)
    if await view.statement_records.has_any(EVERYTHING, _find_gap(span, last)):
        return CloseOutcome.EARLIER_OPEN
    if not content.totals.record_count and not content.adjustments:
        return CloseOutcome.EMPTY
    seal = await seal_records(view, EVERYTHING, span)
    check_seal(content, seal)
    return _Draft(content, span, seal, last)


def _find_gap(span: StatementSpan, last: Statement | None) -> StatementSpan:
    """Return the span of the days between a holder's last statement and this one."""
    first_day = last.period.last_day + ONE_DAY if last else date.min
    last_day = span.period.first_day - ONE_DAY if span.period.first_day > date.min else date.min
    return replace(span, period=Period(first_day, last_day))


async def _find_last_id(transaction: Transaction, holder: StatementHolder) -> UUID | None:
    last = await transaction.statements.find_last(EVERYTHING, holder)
    return last.id if last else None


def _sign_statement(control: Control, drafted: _Draft) -> Statement:
    # Whole milliseconds, as everything that is signed.
    closed_at = from_milliseconds(to_milliseconds(control.clock.now()))
    content = replace(drafted.content, id=StatementId(create_id()), records_root=drafted.seal.root, closed_at=closed_at)
    assert content.id is not None
    document = write_document(content)
    return Statement(
        id=content.id,
        platform_id=content.platform_id,
        holder=content.holder,
        period=content.period,
        state=StatementState.CLOSED,
        totals=content.totals,
        balances=content.balances,
        after_sequence=drafted.span.after_sequence,
        entry_sequence=content.entry_sequence,
        records_root=drafted.seal.root,
        document=document,
        document_sha256=digest_document(document),
        signature=control.journal.signer.sign(document),
        closed_at=closed_at,
    )
