"""Commands on statements: preview an open one, ask for the closing of a period.

The closing itself is a work of the lease loop: see reconcilers/closing.py.
"""

from keisan.control.context import Control, name_actor
from keisan.control.reconcilers.closing import CLOSING_ID
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.closing import Closing
from keisan.domain.errors import NotFound, RecordsArchived
from keisan.domain.event import EventDraft
from keisan.domain.ids import ClosingId
from keisan.domain.lease import WorkNoun
from keisan.domain.retention import is_through
from keisan.domain.statement import (
    Period,
    StatementContent,
    StatementHolder,
    find_period,
    is_seen,
    name_period,
    parse_period,
)
from keisan.kit.ids import create_id
from keisan.ledger.rule_statement import check_closing
from keisan.ledger.statement import draw_statement
from keisan.storage.base import Transaction
from keisan.wire.statement import PreviewQuery, StatementClose

EVERYTHING = PlatformScope()


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


async def ask_closing(control: Control, principal: Principal, body: StatementClose) -> Closing:
    """Have a period closed, of all holders or of one, and return the closing: the one under way if there is one.

    Raises PermissionDenied, or StateConflict before the period's records are no longer awaited.
    """
    principal.require(Right.WRITE_STATEMENTS)
    period, now = parse_period(body.period), control.clock.now()
    check_closing(period, now)
    asked = Closing(
        id=ClosingId(create_id()),
        platform_id=control.platform_id,
        version=1,
        created_at=now,
        asked_by=name_actor(principal),
        period=period,
        holder_id=body.holder_id,
    )
    async with control.storage.write() as transaction:
        same = await transaction.closings.find_same(EVERYTHING, asked)
        if same is not None:
            return same
        await transaction.closings.insert(asked)
        detail = {"period": name_period(period)} | ({"holder_id": str(body.holder_id)} if body.holder_id else {})
        await transaction.events.append(EventDraft(asked.asked_by, "closing.created", asked.id, detail))
        await transaction.outbox.put(WorkNoun.CLOSING, CLOSING_ID, now)
    return asked
