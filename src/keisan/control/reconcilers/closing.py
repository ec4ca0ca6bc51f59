"""Closings: holder by holder, each statement drawn and sealed in parts, and closed in one transaction.

One closing at a time, by one of a platform's processes at a time, for there is one lease. How far it has come is written
after each run: what breaks off goes on from there.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from keisan.control.context import Control
from keisan.domain.access import PlatformScope
from keisan.domain.closing import Closing, ClosingState, choose_holders, pass_holder
from keisan.domain.errors import KeisanError
from keisan.domain.event import EventDraft
from keisan.domain.ids import StatementId
from keisan.domain.limits import CLOSING_RUN_S_MAX
from keisan.domain.statement import (
    CloseOutcome,
    Period,
    Statement,
    StatementContent,
    StatementHolder,
    StatementState,
    name_period,
)
from keisan.domain.statement_document import digest_document, write_document
from keisan.domain.statement_draft import ONE_DAY, StatementDraft
from keisan.kit.clock import from_milliseconds, to_milliseconds
from keisan.kit.ids import create_id
from keisan.kit.observe import write_warning
from keisan.ledger.statement import begin_draft, check_seal, name_content, seal_chunk, sum_next_day
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()
# There is one queue of closings on a platform, and no row that could give it an id.
CLOSING_ID = UUID("0190a7c0-0000-7000-8000-000000000003")


@dataclass(frozen=True, slots=True)
class ClosingChange:
    """How far a closing has come, and what a run adds: statements that it closed, and events."""

    closing: Closing
    statements: tuple[Statement, ...] = ()
    events: tuple[EventDraft, ...] = ()


@dataclass(frozen=True, slots=True)
class ClosingReconciler:
    """Works on the closing that was asked for first, and goes on at once while there is more."""

    control: Control

    async def load(self, transaction: Transaction, _noun_id: UUID) -> Closing | None:
        """Return the closing to work on, None if all are done."""
        return await transaction.closings.find_next(EVERYTHING)

    def decide(self, state: Closing, _now: datetime) -> ClosingChange:
        """Go on with it: what there is to do is found where it is read."""
        return ClosingChange(replace(state, version=state.version + 1))

    async def perform(self, change: ClosingChange) -> ClosingChange:
        """Do part after part, each from a view of its own so that writers need not wait, until the run's time is over.

        What comes between two parts is in later entries than the draft's last one, and so on the next statement.
        """
        control, ends_at_s = self.control, self.control.clock.monotonic_s() + CLOSING_RUN_S_MAX
        if change.closing.passed is None and change.closing.draft is None:
            # Whoever inserted before the period could be closed is done then, and whoever comes later sees that it is late.
            async with control.storage.write() as transaction:
                await transaction.statement_records.await_posting()
        async with control.storage.read() as view:
            holders = choose_holders(change.closing, await view.statement_records.list_holders(EVERYTHING))
        for holder in holders:
            while change.closing.passed != holder:
                change = await self._advance(change, holder)
                if control.clock.monotonic_s() > ends_at_s:
                    return change
        return replace(change, closing=replace(change.closing, state=ClosingState.DONE, ended_at=control.clock.now()))

    async def apply(self, transaction: Transaction, change: ClosingChange, now: datetime) -> datetime:
        """Store the statements with their events and how far it has come; raises VersionMismatch if another run did."""
        for statement in change.statements:
            await transaction.statements.insert(statement)
        for event in change.events:
            await transaction.events.append(event)
        await transaction.closings.update(change.closing)
        return now

    async def _advance(self, change: ClosingChange, holder: StatementHolder) -> ClosingChange:
        """Do one part; a statement in which something is wrong for good is passed, so that the others are closed."""
        closing = change.closing
        try:
            async with self.control.storage.read() as view:
                part = await take_part(view, closing, holder)
        except KeisanError as fault:
            if fault.is_retryable:
                raise
            write_warning("closing.failed", holder_id=holder.id, period=name_period(closing.period), fault=str(fault))
            event = EventDraft(closing.asked_by, "statement.failed", holder.id, _describe(holder, closing.period))
            passed = pass_holder(closing, holder, CloseOutcome.FAILED)
            return replace(change, closing=passed, events=(*change.events, event))
        match part:
            case CloseOutcome():
                return replace(change, closing=pass_holder(closing, holder, part))
            case StatementDraft():
                return replace(change, closing=replace(closing, draft=part))
            case StatementContent():
                assert closing.draft is not None
                statement = self._sign(part, closing.draft.after_sequence)
                event = EventDraft(closing.asked_by, "statement.closed", statement.id, _describe_closed(statement))
                passed = pass_holder(closing, holder, CloseOutcome.CLOSED)
                return ClosingChange(passed, (*change.statements, statement), (*change.events, event))

    def _sign(self, drawn: StatementContent, after_sequence: int | None) -> Statement:
        # Whole milliseconds, as everything that is signed.
        closed_at = from_milliseconds(to_milliseconds(self.control.clock.now()))
        statement_id = StatementId(create_id())
        content = replace(drawn, id=statement_id, closed_at=closed_at)
        document = write_document(content)
        assert content.records_root is not None
        return Statement(
            id=statement_id,
            platform_id=content.platform_id,
            holder=content.holder,
            period=content.period,
            state=StatementState.CLOSED,
            totals=content.totals,
            balances=content.balances,
            after_sequence=after_sequence,
            entry_sequence=content.entry_sequence,
            records_root=content.records_root,
            document=document,
            document_sha256=digest_document(document),
            signature=self.control.journal.signer.sign(document),
            closed_at=closed_at,
        )


async def take_part(
    view: Transaction, closing: Closing, holder: StatementHolder
) -> CloseOutcome | StatementDraft | StatementContent:
    """Return a draft that is further by one part, all that a statement says, or why there is none to close.

    Raises InvariantBroken if the lines are not the sum of the records.
    """
    draft = closing.draft
    if draft is None:
        return await _judge_holder(view, holder, closing.period)
    if not draft.is_summed:
        return await sum_next_day(view, EVERYTHING, draft)
    if not draft.seal.is_whole:
        return replace(draft, seal=await seal_chunk(view, EVERYTHING, draft.span, draft.seal))
    last = await view.statements.find_last(EVERYTHING, holder)
    if draft.last_id != (last.id if last else None):
        # Only a platform of an earlier release closes beside this one.
        return await _judge_holder(view, holder, closing.period)
    seal = draft.seal.close()
    check_seal(draft.content, seal)
    return replace(await name_content(view, EVERYTHING, draft.content), records_root=seal.root)


async def _judge_holder(view: Transaction, holder: StatementHolder, period: Period) -> CloseOutcome | StatementDraft:
    """Return a draft of a statement that may be closed, or why there is none to close."""
    last = await view.statements.find_last(EVERYTHING, holder)
    if last is not None and last.period.first_day >= period.first_day:
        is_closed = await view.statements.find(EVERYTHING, holder, period) is not None
        return CloseOutcome.EXISTS if is_closed else CloseOutcome.PASSED
    draft = await begin_draft(view, EVERYTHING, holder, period)
    gap = _find_gap(period, last)
    if gap is not None and await view.statement_records.find_first_day(EVERYTHING, replace(draft.span, period=gap)):
        return CloseOutcome.EARLIER_OPEN
    is_empty = draft.is_summed and not draft.content.lines and not draft.content.adjustments
    return CloseOutcome.EMPTY if is_empty else draft


def _find_gap(period: Period, last: Statement | None) -> Period | None:
    """Return the days between a holder's last statement and a period, None if there are none."""
    first_day = last.period.last_day + ONE_DAY if last else date.min
    return Period(first_day, period.first_day - ONE_DAY) if first_day < period.first_day else None


def _describe(holder: StatementHolder, period: Period) -> dict[str, str]:
    return {
        "period": name_period(period),
        "holder_kind": str(holder.kind),
        "holder_id": str(holder.id),
        "currency": holder.currency,
    }


def _describe_closed(statement: Statement) -> dict[str, str]:
    told = {"amount_nano": str(statement.totals.amount_nano), "document_sha256": statement.document_sha256}
    return _describe(statement.holder, statement.period) | told
