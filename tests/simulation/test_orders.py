"""Every order of what may happen to money: each is played, not a sample of them, and all end with equal books.

*Equal* is as tests/books.py says. Where R1 wants the end to depend on the order (what comes after the end of its ticket is
suspense's), it is told from the order alone, and what must not depend on it is the same in all.
"""

import asyncio
import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keisan.control.context import Control
from keisan.control.dispute import open_dispute, resolve_dispute
from keisan.control.lease import LeaseLoop, Reconcilers
from keisan.control.payout import create_payout
from keisan.control.reconcilers.ticket import TicketReconciler
from keisan.control.reconcilers.top_up import TopUpReconciler
from keisan.control.top_up import approve_top_up, create_top_up, reject_top_up
from keisan.domain.access import Principal, Role
from keisan.domain.account import AccountKind
from keisan.domain.errors import AlreadyDecided, StateConflict
from keisan.domain.ids import EntryId, StatementId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import TOP_UP_PROPOSED_S, USAGE_LATE_S_MAX
from keisan.domain.page import PageRequest
from keisan.domain.payout import PayoutOutcome
from keisan.domain.statement import HolderKind
from keisan.domain.ticket import TicketState
from keisan.domain.top_up import TopUpKind
from keisan.ledger.credit import exchange_credit
from keisan.ledger.rule_ticket import WRITES_PER_LEASE
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from keisan.wire.credit import CreditReport
from keisan.wire.dispute import DisputeCreate, DisputeResolve, DisputeVerdict
from keisan.wire.payout import PayoutCreate
from keisan.wire.top_up import TopUpCreate
from tests.books import Books, check_whole, read_books
from tests.control.people import add_key
from tests.factories import SIGNER, FixedClock, World
from tests.ledger.credit_world import EVERYTHING, OUTPUT_NANO, TERMS, Gateway, plant_books, top_up
from tests.ledger.intake_world import IntakeWorld, open_world
from tests.settlement import Settlement, create_principal

# Every step of everything, on a machine that others share and with every line counted.
pytestmark = pytest.mark.timeout(900)

CALL_NANO = 10 * OUTPUT_NANO
# A few thousand commits, each synced, would be most of the time on a disk.
MEMORY = Path("/dev/shm")
TICKET_END_S = TERMS.lease_s + TERMS.lateness_s + TERMS.lease_s // WRITES_PER_LEASE


@dataclass
class Play:
    """A platform with a gateway that has leased ten calls' credit, three of which have ended: their records are in its spool."""

    settlement: Settlement
    gateway: Gateway
    people: dict[str, Principal] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)
    words: list[CreditReport] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    proposed: EntryId | None = None
    copies: dict[Path, Database] = field(default_factory=dict)
    copied_clock: FixedClock = field(default_factory=FixedClock)

    @property
    def storage(self) -> Database:
        return self.settlement.ledger.storage

    @property
    def control(self) -> Control:
        return self.settlement.control

    @property
    def clock(self) -> FixedClock:
        return self.settlement.clock

    async def post(self, place: int) -> None:
        self.gateway.spool = [self.lines[place]]
        await self.gateway.upload()

    async def reconcile(self) -> None:
        reconcilers: Reconcilers = {WorkNoun.TICKET: TicketReconciler(TERMS), WorkNoun.TOP_UP: TopUpReconciler()}
        await LeaseLoop(self.control, reconcilers).run_round()

    async def find_statement(self, kind: HolderKind, period: str) -> StatementId | None:
        """Return the left side's statement of a month, if there is one."""
        left = self.settlement.world.left
        holder_id = left.organization.id if kind is HolderKind.CUSTOMER else left.provider.id
        for statement in await self.settlement.list_statements():
            if (statement.holder.id, f"{statement.period.first_day:%Y-%m}") == (holder_id, period):
                return statement.id
        return None


Step = Callable[[Play], Awaitable[object]]
Order = tuple[str, ...]


def post(place: int) -> Step:
    return lambda play: play.post(place)


def say(place: int) -> Step:
    async def run(play: Play) -> None:
        """Deliver a report of the gateway; a later one may have overtaken it."""
        try:
            await exchange_credit(play.storage, play.clock, TERMS, play.gateway.gateway_id, play.words[place])
        except StateConflict as fault:
            play.notes[f"word {place}"] = fault.outside

    return run


async def give_back(play: Play) -> None:
    for ticket in play.gateway.tickets.values():
        ticket.returned_nano += 3 * CALL_NANO
    await play.gateway.exchange()


async def give_credit(play: Play) -> None:
    body = TopUpCreate(amount_nano=2 * CALL_NANO, currency="CNY", kind=TopUpKind.CREDIT_NOTE, note="errors")
    owner_id = play.settlement.world.left.organization.id
    await create_top_up(play.control, play.people["first"], owner_id, body)


async def end_life(play: Play) -> None:
    await play.gateway.exchange(is_last=True)


async def expire(play: Play) -> None:
    await play.reconcile()


async def pass_week(play: Play) -> None:
    await play.clock.sleep(USAGE_LATE_S_MAX)


def decide(who: str, *, is_approval: bool) -> Step:
    async def run(play: Play) -> None:
        assert play.proposed is not None
        try:
            await (approve_top_up if is_approval else reject_top_up)(play.control, play.people[who], play.proposed)
        except AlreadyDecided:
            play.notes[who] = "was not the first"

    return run


async def end_proposal(play: Play) -> None:
    await play.clock.sleep(TOP_UP_PROPOSED_S)
    await play.reconcile()


def close(period: str) -> Step:
    return lambda play: play.settlement.close(period)


def pay(period: str) -> Step:
    async def run(play: Play) -> None:
        statement_id = await play.find_statement(HolderKind.PROVIDER, period)
        if statement_id is not None:
            settled = await create_payout(play.control, play.settlement.admin, statement_id, PayoutCreate())
            assert settled.outcome is PayoutOutcome.CREATED

    return run


async def dispute(play: Play) -> None:
    statement_id = await play.find_statement(HolderKind.CUSTOMER, "2026-11")
    assert statement_id is not None
    owner = create_principal(Role.ORGANIZATION_ADMIN, play.settlement.world.left)
    opened = await open_dispute(play.control, owner, statement_id, DisputeCreate(reason="too much"))
    body = DisputeResolve(verdict=DisputeVerdict.UPHELD, resolution="so it was", amount_nano=CALL_NANO)
    await resolve_dispute(play.control, play.settlement.admin, opened.id, body)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """A file with a world."""
    path = tmp_path_factory.mktemp("orders") / "keisan.db"
    return path, asyncio.run(plant_books(path))


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


def build_play(ledger: IntakeWorld, gateway: Gateway) -> Play:
    control = Control(ledger.storage, ledger.clock, ledger.world.platform.id, signer=SIGNER)
    return Play(Settlement(ledger, control, create_principal(Role.PLATFORM_ADMIN)), gateway)


async def prepare_play(template: tuple[Path, World], folder: Path, begin: Step) -> Play:
    """Return a play that has begun, and is closed: each order is played on a copy of its file."""
    path, world = template
    async with open_world(folder / "begun.db", path, world) as ledger:
        play = build_play(ledger, Gateway(world.gateway.id, ledger))
        for name in ("first", "second", "third"):
            play.people[name] = await add_key(play.control, world.left.project, Role.PLATFORM_ADMIN)
        await top_up(ledger.storage, world.left.organization.id, 10 * CALL_NANO)
        await play.gateway.exchange((world.left, 10 * CALL_NANO))
        for spent_part in (100, 50, 10):
            assert play.gateway.begin_call(world.left, CALL_NANO)
            play.gateway.end_call(spent_part)
        play.lines = list(play.gateway.spool)
        await begin(play)
    return play


@asynccontextmanager
async def open_copy(begun: Play, folder: Path) -> AsyncIterator[Play]:
    """Open a copy of what has begun, by a storage that is used again: it then knows how its statements are written."""
    path, ledger = folder / "played.db", begun.settlement.ledger
    shutil.copyfile(folder / "begun.db", path)
    storage = begun.copies.setdefault(path, open_sqlite(path, begun.copied_clock))
    begun.copied_clock.instant = ledger.clock.instant
    copied = IntakeWorld(storage, begun.copied_clock, ledger.world)
    tickets = {ticket_id: replace(ticket) for ticket_id, ticket in begun.gateway.tickets.items()}
    play = build_play(copied, replace(begun.gateway, ledger=copied, tickets=tickets, spool=[]))
    play.people, play.lines, play.words, play.proposed = begun.people, begun.lines, begun.words, begun.proposed
    try:
        yield play
    finally:
        await storage.close()


def list_orders(steps: Sequence[str], causes: Mapping[str, Sequence[str]]) -> list[Order]:
    """Return every order of steps in which each comes after its causes."""
    orders = []
    for order in itertools.permutations(steps):
        place = {name: number for number, name in enumerate(order)}
        if all(place[cause] < place[name] for name, before in causes.items() for cause in before):
            orders.append(order)
    return orders


async def play_order(begun: Play, folder: Path, steps: Mapping[str, Step], order: Order) -> tuple[Play, Books]:
    """Play an order, and return how it ended: with debits that equal credits, and nothing that the audit would name."""
    async with open_copy(begun, folder) as play:
        for name in order:
            await steps[name](play)
        await check_whole(play.storage)
        return play, await read_books(play.storage)


async def begin_nothing(_: Play) -> None:
    """Begin with what every play begins with."""


async def test_life_of_a_ticket_ends_the_same_in_every_order(template: tuple[Path, World], folder: Path) -> None:
    """Reserve, then: two records, one of them twice, a part given back, a credit note, and the end."""
    steps = {
        "one": post(0),
        "two": post(1),
        "one again": post(0),
        "return": give_back,
        "note": give_credit,
        "end": end_life,
    }
    orders = list_orders(list(steps), {"end": ("one", "two", "return")})
    begun = await prepare_play(template, folder, begin_nothing)
    assert len(orders) == 180
    _, expected = await play_order(begun, folder, steps, orders[0])
    assert expected.sum_kind(AccountKind.SUSPENSE) == 0
    for order in orders[1:]:
        _, books = await play_order(begun, folder, steps, order)
        assert books == expected, order


async def prepare_words(play: Play) -> None:
    """Write down three words of the gateway, each of which says that more was given back."""
    for _ in range(3):
        for ticket in play.gateway.tickets.values():
            ticket.returned_nano += CALL_NANO
        play.words.append(play.gateway.report())


async def test_words_and_records_in_any_order_leave_the_same_ticket(template: tuple[Path, World], folder: Path) -> None:
    steps = {"one": post(0), "two": post(1), "word 1": say(0), "word 2": say(1), "word 3": say(2)}
    orders = list_orders(list(steps), {})
    begun = await prepare_play(template, folder, prepare_words)
    assert len(orders) == 120
    _, expected = await play_order(begun, folder, steps, orders[0])
    (ticket,) = expected.tickets
    assert (ticket.returned_nano, ticket.posted_nano) == (3 * CALL_NANO, CALL_NANO + CALL_NANO // 2)
    for order in orders[1:]:
        play, books = await play_order(begun, folder, steps, order)
        assert books == expected, order
        overtaken = {f"word {number}" for number in (0, 1) if order.index(f"word {number + 1}") > order.index("word 3")}
        assert overtaken <= play.notes.keys(), order


async def fall_silent(play: Play) -> None:
    """Let the gateway be silent until its ticket may end, which it does when somebody looks."""
    await play.clock.sleep(TICKET_END_S)


def tell_payers(order: Order) -> dict[str, str]:
    """Return why suspense pays for each record, from the order alone; the empty text where its ticket pays."""
    place = {name: number for number, name in enumerate(order)}
    told = {}
    for name in ("one", "two"):
        at = min(place[name], place.get(f"{name} again", len(order)))
        is_closed, is_late = at > place["expire"], at > place["week"]
        told[name] = ("late" if is_closed else "late_leased") if is_late else "closed_ticket" if is_closed else ""
    return told


async def test_what_comes_after_the_end_of_its_ticket_is_suspenses_in_every_order(
    template: tuple[Path, World], folder: Path
) -> None:
    """Records, one of them twice, the end of the ticket, and the end of the window for late records."""
    steps = {"one": post(0), "two": post(1), "one again": post(0), "expire": expire, "week": pass_week}
    orders = list_orders(list(steps), {})
    begun = await prepare_play(template, folder, fall_silent)
    assert len(orders) == 120
    costs = {"one": CALL_NANO, "two": CALL_NANO // 2}
    ends: dict[tuple[str, str], Books] = {}
    for order in orders:
        _, books = await play_order(begun, folder, steps, order)
        payers = tell_payers(order)
        assert books == ends.setdefault((payers["one"], payers["two"]), books), order
        assert {line.amount_nano: line.code for line in books.records} == {
            cost_nano: payers[name] for name, cost_nano in costs.items()
        }, order
        suspense_nano = sum(cost_nano for name, cost_nano in costs.items() if payers[name])
        posted_nano = sum(cost_nano for name, cost_nano in costs.items() if payers[name] in ("", "late_leased"))
        assert books.sum_kind(AccountKind.SUSPENSE) == -suspense_nano, order
        # R1: together the same, whoever pays; what its ticket pays is the wallet's, and a closed ticket holds nothing.
        assert books.sum_kind(AccountKind.WALLET) == 10 * CALL_NANO - sum(costs.values()) + suspense_nano, order
        (ticket,) = books.tickets
        assert (ticket.state, ticket.posted_nano) == (TicketState.CLOSED, posted_nano), order
    assert len(ends) == len({tuple(tell_payers(order).values()) for order in orders}) > 5
    # Who is paid is paid the same in every order.
    paid = {kind: {books.sum_kind(kind) for books in ends.values()} for kind in AccountKind}
    for kind in (AccountKind.PROVIDER_PAYABLE, AccountKind.TAX, AccountKind.PLATFORM_REVENUE, AccountKind.OUTSIDE):
        assert len(paid[kind]) == 1


async def propose(play: Play) -> None:
    async with play.storage.write() as transaction:
        platform = await transaction.platform.get()
        await transaction.platform.update(
            replace(platform, four_eyes_nano={"CNY": CALL_NANO}, version=platform.version + 1)
        )
    body = TopUpCreate(amount_nano=5 * CALL_NANO, currency="CNY")
    owner_id = play.settlement.world.left.organization.id
    play.proposed = (await create_top_up(play.control, play.people["first"], owner_id, body)).id


async def test_proposed_top_up_is_decided_by_who_is_first_in_every_order(
    template: tuple[Path, World], folder: Path
) -> None:
    steps = {
        "approve": decide("second", is_approval=True),
        "approve too": decide("third", is_approval=True),
        "reject": decide("third", is_approval=False),
        "end": end_proposal,
    }
    orders = list_orders(list(steps), {})
    begun = await prepare_play(template, folder, propose)
    assert len(orders) == 24
    ends: dict[str, Books] = {}
    for order in orders:
        _, books = await play_order(begun, folder, steps, order)
        state = {"approve": "posted", "approve too": "posted", "reject": "rejected", "end": "expired"}[order[0]]
        assert books == ends.setdefault(state, books), order
        assert [line.state for line in books.top_ups if line.amount_nano == 5 * CALL_NANO] == [state], order
        assert books.entries["top_up"] == 3 + (state == "posted")


async def leave_november(play: Play) -> None:
    """Hand in two records of November, and let the month end: one that comes now is late."""
    await play.post(0)
    await play.post(1)
    play.clock.instant = datetime(2026, 12, 8, tzinfo=UTC)


async def settle_december(play: Play) -> None:
    """Close what is left, and pay it."""
    play.clock.instant = datetime(2027, 1, 8, tzinfo=UTC)
    await close("2026-12")(play)
    await pay("2026-12")(play)


async def list_stated(play: Play) -> dict[tuple[str, str], int]:
    """Return on how many statements of each kind each record is."""
    stated = Counter[tuple[str, str]]()
    for statement in await play.settlement.list_statements():
        for posted in await play.settlement.list_records(statement):
            stated[str(statement.holder.kind), str(posted.record.id)] += 1
    return stated


async def test_month_settles_the_same_in_every_order(template: tuple[Path, World], folder: Path) -> None:
    """Closing, a late record, a credit note, a payout, and a dispute that is upheld; then the month after."""
    steps = {
        "close": close("2026-11"),
        "late": post(2),
        "note": give_credit,
        "pay": pay("2026-11"),
        "dispute": dispute,
    }
    orders = list_orders(list(steps), {"pay": ("close",), "dispute": ("close",)})
    begun = await prepare_play(template, folder, leave_november)
    assert len(orders) == 40
    ends: list[tuple[object, ...]] = []
    for order in orders:
        async with open_copy(begun, folder) as play:
            for name in order:
                await steps[name](play)
            await settle_december(play)
            await check_whole(play.storage)
            books, stated = await read_books(play.storage), await list_stated(play)
            statements = await play.settlement.list_statements()
            async with play.storage.read() as view:
                payouts = (await view.payouts.list(EVERYTHING, PageRequest())).items
        assert set(stated.values()) == {1}, "each record is on one statement of each side that it belongs to"
        sums = Counter[str]()
        for statement in statements:
            sums[str(statement.holder.id)] += statement.totals.amount_nano + statement.totals.adjustment_nano
        paid_nano = sum(payout.amount_nano for payout in payouts)
        # Which month's statement has the late record is told by the order; all that it comes to is not.
        same = (books.balances, books.tickets, books.records, books.disputes, books.top_ups)
        ends.append((*same, sums, stated.keys(), paid_nano))
        assert ends[-1] == ends[0], order
