"""Closings, cut off anywhere, on both databases: they end with the statements that an undisturbed one would have made."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from keisan.control.journal import open_journal
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers import closing as reconciler_module
from keisan.control.reconcilers.closing import ClosingChange, ClosingReconciler
from keisan.domain.access import Scope
from keisan.domain.closing import ClosingState
from keisan.domain.errors import StorageUnavailable
from keisan.domain.ids import RecordId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import LEASE_LIFE_S
from keisan.domain.merkle import compute_root, hash_leaf
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.statement import (
    CloseOutcome,
    StatementContent,
    StatementHolder,
    StatementSpan,
    parse_period,
)
from keisan.domain.statement_document import read_document
from keisan.domain.usage import PostedRecord
from keisan.ledger import statement as ledger_statement
from keisan.ledger.statement import draw_statement, name_leaves
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from keisan.storage.statement_record import StatementRecordRepository
from tests.books import check_whole
from tests.deadline import let_time_pass_async
from tests.factories import FixedClock, create_statement
from tests.settlement import EVERYTHING, Settlement, open_settlement, run_closings, run_part

NOVEMBER = parse_period("2026-11")
NOVEMBER_CLOSES_AT = datetime(2026, 12, 8, tzinfo=UTC)
DECEMBER_CLOSES_AT = datetime(2027, 1, 8, tzinfo=UTC)
PLACES = ("before the transaction", "within it", "nowhere", "nowhere")
ONE_BY_ONE = -1
# Of the right provider's statement: its beginning, the three days that have records, and four chunks. Then it is signed.
PARTS = 1 + 3 + 4


class Crash(BaseException):
    """The end of the process, as far as a test can have it: nothing catches it."""


@dataclass(frozen=True)
class Expected:
    """What an undisturbed closing would state, from one view, and the root above the receipts fetched one by one."""

    content: StatementContent
    root: str


@pytest.fixture
async def settlement(storage: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> Settlement:
    """Records on several days of November, late ones of October after it was closed, and runs of one small part each."""
    monkeypatch.setattr(reconciler_module, "CLOSING_RUN_S_MAX", ONE_BY_ONE)
    monkeypatch.setattr(ledger_statement, "STATEMENT_CHUNK_RECORDS_MAX", 2)
    opened = await open_settlement(storage, clock)
    await open_journal(opened.control)
    left, right = opened.world.left, opened.world.right
    clock.instant = datetime(2026, 10, 31, 12, tzinfo=UTC)
    await opened.hand_in(left, right, clock.instant)
    clock.instant = datetime(2026, 11, 8, tzinfo=UTC)
    await opened.close("2026-10")
    for hours in (1, 2, 40, 41, 170, 300, 310):
        await opened.hand_in(left, right, datetime(2026, 11, 8, tzinfo=UTC) - timedelta(hours=hours))
    return opened


async def expect(settlement: Settlement) -> Mapping[StatementHolder, Expected]:
    """Return what is to be stated of November, before anybody closes it."""
    expected = {}
    async with settlement.control.storage.read() as view:
        for holder in await view.statement_records.list_holders(EVERYTHING):
            content = await draw_statement(view, EVERYTHING, holder, NOVEMBER)
            last = await view.statements.find_last(EVERYTHING, holder)
            span = StatementSpan(holder, NOVEMBER, last.entry_sequence if last else None, content.entry_sequence)
            ids = await list_leaves(view, span)
            expected[holder] = Expected(content, compute_root(hash_leaf(leaf) for leaf in ids).hex())
    return expected


async def list_leaves(view: Transaction, span: StatementSpan) -> list[bytes]:
    found = await view.statement_records.list(EVERYTHING, span, PageRequest(limit=500))
    return [leaf.encode() for _, leaf in name_leaves(found.items)]


async def ask_provider(settlement: Settlement) -> Mapping[StatementHolder, Expected]:
    """Ask for the statement of the right provider alone, which late records are on, and return what it is to state."""
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    holder = settlement.name_provider(settlement.world.right)
    expected = await expect(settlement)
    await settlement.ask("2026-11", holder)
    return {holder: expected[holder]}


async def check_closed(settlement: Settlement, expected: Mapping[StatementHolder, Expected]) -> None:
    """Each holder has one statement of November, and it says what was expected."""
    closed = [each for each in await settlement.list_statements() if each.period == NOVEMBER]
    assert len(closed) == len(expected) == len({each.holder for each in closed})
    for statement in closed:
        own, content = expected[statement.holder], read_document(statement.document)
        unsigned = replace(content, id=None, records_root=None, closed_at=None)
        # Names, lines, totals, balances and the entry it ends at.
        assert unsigned == replace(own.content, entry_sequence=content.entry_sequence)
        assert content.entry_sequence >= own.content.entry_sequence
        assert statement.records_root == own.root


async def run_cut(settlement: Settlement, place: str) -> bool | None:
    """Do one run, cut off at a place; return whether there was one, None if it was cut off."""
    real_apply, real_perform = ClosingReconciler.apply, ClosingReconciler.perform

    async def apply(
        self: ClosingReconciler, transaction: Transaction, change: ClosingChange, now: datetime
    ) -> datetime:
        next_at = await real_apply(self, transaction, change, now)
        if place == "within it":
            raise Crash
        return next_at

    async def perform(self: ClosingReconciler, change: ClosingChange) -> ClosingChange:
        done = await real_perform(self, change)
        if place == "before the transaction":
            raise Crash
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClosingReconciler, "perform", perform)
        patch.setattr(ClosingReconciler, "apply", apply)
        try:
            return await run_part(settlement.control)
        except Crash:
            return None


@pytest.mark.parametrize("first", [0, 3])
async def test_crash_at_every_part_ends_with_the_same_statements(settlement: Settlement, first: int) -> None:
    """Of four runs two are cut off: every other part, before its transaction and at its end. The two cases cut them all."""
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    expected = await expect(settlement)
    asked = await settlement.ask("2026-11")
    cut = Counter[str]()
    for number in range(600):
        place = PLACES[(number + first) % len(PLACES)]
        has_run = await run_cut(settlement, place)
        cut[place] += has_run is None
        if has_run is False:
            break
    async with settlement.control.storage.read() as view:
        done = await view.closings.get(EVERYTHING, asked.id)
    assert (done.state, done.counts, done.draft) == (ClosingState.DONE, {CloseOutcome.CLOSED: 4}, None)
    assert min(cut["before the transaction"], cut["within it"]) > PARTS
    await check_closed(settlement, expected)
    await check_whole(settlement.ledger.storage)


async def find_holder(settlement: Settlement) -> StatementHolder | None:
    """Return whose statement is worked on."""
    async with settlement.control.storage.read() as view:
        under_way = await view.closings.find_next(EVERYTHING)
    return under_way.draft.content.holder if under_way is not None and under_way.draft is not None else None


async def test_what_comes_while_it_is_closing_is_late(settlement: Settlement) -> None:
    """Suspense pays, and the provider's next statement has it: the one that is closing stays what it was to be."""
    left, right = settlement.world.left, settlement.world.right
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    expected = await expect(settlement)
    await settlement.ask("2026-11")
    late, provider = list[RecordId](), settlement.name_provider(right)
    while await run_part(settlement.control):
        # After each part of its own: on days that are summed or sealed already, and on those that are not.
        if await find_holder(settlement) == provider:
            day = datetime(2026, 11, 1 + 7 * len(late) % 30, 12, tzinfo=UTC)
            late.append(await settlement.hand_in(left, right, day))
    assert len(late) == PARTS
    await check_closed(settlement, expected)
    settlement.clock.instant = DECEMBER_CLOSES_AT
    await settlement.close("2026-12")
    following = await settlement.get_statement(provider, "2026-12")
    assert {posted.record.id for posted in await settlement.list_records(following)} == set(late)
    customers = await settlement.get_statement(settlement.name_customer(left), "2026-11")
    assert not set(late) & {posted.record.id for posted in await settlement.list_records(customers)}
    await check_whole(settlement.ledger.storage)


def build_loop(settlement: Settlement, reconciler: ClosingReconciler | None = None) -> LeaseLoop:
    """Return the loop of a platform process of its own."""
    reconcilers = {WorkNoun.CLOSING: reconciler or ClosingReconciler(settlement.control)}
    return LeaseLoop(settlement.control, reconcilers, leases_max=1)


async def test_two_processes_seal_once(settlement: Settlement, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = await ask_provider(settlement)
    read, original, rounds = Counter[tuple[StatementHolder, UUID | None]](), StatementRecordRepository.list, [0, 0]

    async def count(
        self: StatementRecordRepository, scope: Scope, span: StatementSpan, page: PageRequest
    ) -> PageOf[PostedRecord]:
        read[span.holder, page.after] += 1
        return await original(self, scope, span, page)

    async def work(place: int) -> None:
        loop = build_loop(settlement)
        while await is_under_way(settlement):
            # However long the other takes to begin, it has something to do.
            if not rounds[place] or rounds[1 - place]:
                rounds[place] += await loop.run_round()
            await let_time_pass_async(0)

    with monkeypatch.context() as patched:
        patched.setattr(StatementRecordRepository, "list", count)
        async with asyncio.TaskGroup() as group:
            for place in range(2):
                group.create_task(work(place))
    assert set(read.values()) == {1}
    assert min(rounds) > 0
    await check_closed(settlement, expected)


async def is_under_way(settlement: Settlement) -> bool:
    async with settlement.control.storage.read() as view:
        return await view.closings.find_next(EVERYTHING) is not None


class Stalled(ClosingReconciler):
    """A process that falls asleep after each part, until another one has taken its lease and gone on."""

    other: LeaseLoop
    clock: FixedClock

    async def perform(self, change: ClosingChange) -> ClosingChange:
        done = await super().perform(change)
        self.clock.instant += timedelta(seconds=LEASE_LIFE_S + 1)
        assert await self.other.run_round() == 1
        return done


async def test_process_that_lost_its_lease_writes_nothing(settlement: Settlement) -> None:
    expected = await ask_provider(settlement)
    asked = await settlement.ask("2026-11", settlement.name_provider(settlement.world.right))
    stalled = Stalled(settlement.control)
    object.__setattr__(stalled, "other", build_loop(settlement))
    object.__setattr__(stalled, "clock", settlement.clock)
    loop, versions = build_loop(settlement, stalled), [1]
    while await is_under_way(settlement):
        await loop.run_round()
        async with settlement.control.storage.read() as view:
            versions.append((await view.closings.get(EVERYTHING, asked.id)).version)
    assert versions == list(range(1, len(versions) + 1))
    await check_closed(settlement, expected)


async def tamper(settlement: Settlement) -> StatementHolder:
    """Let a draft that is sealing say another amount than its lines, and return whose it is."""
    while await run_part(settlement.control):
        async with settlement.control.storage.write() as transaction:
            under_way = await transaction.closings.find_next(EVERYTHING)
            assert under_way is not None
            draft = under_way.draft
            if draft is not None and draft.seal.record_count:
                wrong = replace(draft, seal=replace(draft.seal, amount_nano=draft.seal.amount_nano + 1))
                await transaction.closings.update(replace(under_way, draft=wrong, version=under_way.version + 1))
                return draft.content.holder
    raise AssertionError("nothing was sealed")


async def test_statement_that_does_not_add_up_is_not_closed_and_the_others_are(settlement: Settlement) -> None:
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    expected = await expect(settlement)
    asked = await settlement.ask("2026-11")
    holder = await tamper(settlement)
    assert await settlement.close("2026-11") == {CloseOutcome.FAILED: 1, CloseOutcome.CLOSED: 3}
    async with settlement.control.storage.read() as view:
        events = await view.events.list(EVERYTHING, 0, 500)
        assert await view.statements.find(EVERYTHING, holder, NOVEMBER) is None
    [told] = [(each.actor, each.noun_id) for each in events if each.action == "statement.failed"]
    assert told == (asked.asked_by, holder.id)
    # Nothing is wrong with the records, so whoever asks again gets it.
    assert await settlement.close("2026-11") == {CloseOutcome.CLOSED: 1, CloseOutcome.EXISTS: 3}
    await check_closed(settlement, expected)


async def test_passing_fault_of_the_database_is_tried_again(
    settlement: Settlement, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = await ask_provider(settlement)

    async def refuse(*_: object) -> None:
        raise StorageUnavailable("the database is away")

    for _ in range(PARTS):
        await run_part(settlement.control)
        with monkeypatch.context() as patched:
            patched.setattr(reconciler_module, "take_part", refuse)
            with pytest.raises(StorageUnavailable):
                await run_part(settlement.control)
    await run_closings(settlement.control)
    await check_closed(settlement, expected)


async def test_draft_is_dropped_if_somebody_else_closed_the_month(settlement: Settlement) -> None:
    """As a process of an earlier release does, while both run."""
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    await settlement.ask("2026-11")
    while await find_holder(settlement) is None:
        await run_part(settlement.control)
    holder = await find_holder(settlement)
    assert holder is not None
    async with settlement.control.storage.write() as transaction:
        await transaction.statements.insert(create_statement(holder, period=NOVEMBER))
    assert await settlement.close("2026-11") == {CloseOutcome.EXISTS: 1, CloseOutcome.CLOSED: 3}


async def test_without_a_closing_there_is_nothing_to_do(settlement: Settlement) -> None:
    expected = await ask_provider(settlement)
    loop = build_loop(settlement)
    while await is_under_way(settlement):
        assert await loop.run_round() == 1
    # Once more, to see that there is none.
    assert [await loop.run_round() for _ in range(3)] == [1, 0, 0]
    await settlement.ask("2026-11")
    assert await loop.run_round() == 1
    await check_closed(settlement, expected)


async def test_small_month_is_closed_in_one_run(settlement: Settlement, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    expected = await expect(settlement)
    await settlement.ask("2026-11")
    assert [await run_part(settlement.control) for _ in range(2)] == [True, False]
    await check_closed(settlement, expected)
