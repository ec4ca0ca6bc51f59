"""The credit exchange on a real SQLite file: what is leased was there, is conserved, and comes back."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from keisan.control.reconcilers.ticket import TicketReconciler
from keisan.domain.account import AccountKind
from keisan.domain.errors import StateConflict
from keisan.domain.ids import OrganizationId, TicketId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import CREDIT_PARTS_MAX, USAGE_LATE_S_MAX
from keisan.domain.page import PageRequest
from keisan.domain.ticket import TicketState
from keisan.kit.ids import create_id
from keisan.ledger.audit import audit_ledger
from keisan.ledger.credit import RENEW_CONTESTED_S, exchange_credit
from keisan.ledger.rule_ticket import WRITES_PER_LEASE
from keisan.storage.database import Database
from keisan.wire.credit import CreditReport, choose_part
from tests.factories import Side, World
from tests.ledger.credit_world import (
    EVERYTHING,
    OUTPUT_NANO,
    TERMS,
    Gateway,
    add_gateway,
    count_held,
    list_balances,
    list_open,
    list_refused,
    list_tickets,
    read_books,
    top_up,
)
from tests.ledger.intake_world import IntakeWorld, open_world, plant_template

WALLET, PAYABLE = AccountKind.WALLET, AccountKind.PROVIDER_PAYABLE
SUSPENSE, OUTSIDE = AccountKind.SUSPENSE, AccountKind.OUTSIDE
CALL_NANO = 10 * OUTPUT_NANO
# A thousand commits, each synced, would be most of the time on a disk.
MEMORY = Path("/dev/shm")


async def fill(ledger: IntakeWorld, side: Side, calls: int) -> None:
    await top_up(ledger.storage, side.organization.id, calls * CALL_NANO)


async def run_reconciler(storage: Database, ledger: IntakeWorld) -> int:
    """Work on every ticket that is due and return how many there were."""
    reconciler, now = TicketReconciler(TERMS), ledger.clock.now()
    async with storage.write() as transaction:
        leases = await transaction.outbox.take(now, timedelta(seconds=30), 100)
    for lease in leases:
        assert lease.noun is WorkNoun.TICKET
        async with storage.read() as view:
            state = await reconciler.load(view, lease.noun_id)
        assert state is not None
        async with storage.write() as transaction:
            await transaction.outbox.check(lease, now)
            due_again_at = await reconciler.apply(transaction, reconciler.decide(state, now), now)
            await transaction.outbox.finish(lease, due_again_at)
    return len(leases)


async def test_empty_wallet_leases_nothing_and_keeps_no_ticket(ledger: IntakeWorld, gateway: Gateway) -> None:
    answer = await gateway.exchange((ledger.world.left, CALL_NANO))
    assert (answer.tickets, list_refused(answer)) == ((), ((ledger.world.left.organization.id, "CNY"),))
    assert await list_tickets(ledger.storage) == ()


async def test_organization_without_a_wallet_is_refused(ledger: IntakeWorld, gateway: Gateway) -> None:
    nobody = create_id()
    answer = await gateway.exchange(wanted=[{"holder_id": nobody, "currency": "CNY", "wanted_nano": 1}])
    assert list_refused(answer) == ((nobody, "CNY"),)


async def test_want_is_leased_and_told_again_until_it_is_spent(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await fill(ledger, left, 10)
    answer = await gateway.exchange((left, CALL_NANO))
    (line,) = answer.tickets
    assert (line.holder_id, line.currency, line.credit_nano) == (left.organization.id, "CNY", 5 * CALL_NANO)
    assert (answer.lease_s, answer.renew_s, answer.refused) == (TERMS.lease_s, TERMS.renew_s, ())
    assert gateway.begin_call(left, CALL_NANO)
    gateway.end_call(100)
    assert (await gateway.exchange()).tickets == (line,)
    (ticket,) = await list_tickets(ledger.storage)
    assert (ticket.spent_nano, ticket.posted_nano, ticket.held_nano) == (CALL_NANO, 0, 5 * CALL_NANO)
    assert await gateway.upload() == ["created"]
    (ticket,) = await list_tickets(ledger.storage)
    assert (ticket.posted_nano, ticket.held_nano) == (CALL_NANO, 4 * CALL_NANO)
    balances = await list_balances(ledger.storage)
    assert (balances[WALLET], balances[PAYABLE], balances[OUTSIDE]) == (9 * CALL_NANO, CALL_NANO, -10 * CALL_NANO)


async def test_one_ticket_per_wallet_and_life(ledger: IntakeWorld, gateway: Gateway, other: Gateway) -> None:
    left, right = ledger.world.left, ledger.world.right
    await fill(ledger, left, 100)
    await fill(ledger, right, 100)
    for one in (gateway, other):
        for _ in range(3):
            await one.exchange((left, CALL_NANO), (right, CALL_NANO))
    tickets = list_open(await list_tickets(ledger.storage))
    assert len(tickets) == 4
    assert len({(ticket.organization_id, ticket.gateway_id) for ticket in tickets}) == 4


async def test_each_currency_is_leased_from_its_own_wallet(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await top_up(ledger.storage, left.organization.id, 500, "CNY")
    await top_up(ledger.storage, left.organization.id, 900, "USD")
    wants = {
        currency: {"holder_id": left.organization.id, "currency": currency, "wanted_nano": wanted_nano}
        for currency, wanted_nano in (("CNY", 600), ("EUR", 1), ("USD", 600))
    }
    answer = await gateway.exchange(wanted=[wants["CNY"]])
    assert [(line.currency, line.credit_nano) for line in answer.tickets] == [("CNY", 500)]
    assert list_refused(answer) == ((left.organization.id, "CNY"),), "nothing more is there"
    answer = await gateway.exchange(wanted=list(wants.values()))
    assert {line.currency: line.credit_nano for line in answer.tickets} == {"CNY": 500, "USD": 600}
    assert set(list_refused(answer)) == {(left.organization.id, "CNY"), (left.organization.id, "EUR")}
    both = [
        ticket for ticket in list_open(await list_tickets(ledger.storage)) if ticket.gateway_id == gateway.gateway_id
    ]
    assert {ticket.currency: ticket.held_nano for ticket in both} == {"CNY": 500, "USD": 600}
    assert len((await gateway.exchange()).tickets) == 2


def separate(*owner_ids: OrganizationId) -> tuple[int, list[int]]:
    """Return into how many parts a report must go for each owner to have one of its own, and which."""
    for part_count in range(2, CREDIT_PARTS_MAX):
        places = [choose_part(owner_id, part_count) for owner_id in owner_ids]
        if len(set(places)) == len(places):
            return part_count, places
    raise AssertionError(owner_ids)


async def test_part_of_a_report_leaves_the_others_as_they_are(
    ledger: IntakeWorld, gateway: Gateway, other: Gateway
) -> None:
    """Of two organizations in two parts, one has a want that is not met; a word on the other is none on it."""
    sides = (ledger.world.left, ledger.world.right)
    part_count, places = separate(*(side.organization.id for side in sides))
    for side in sides:
        await fill(ledger, side, 10)
    await other.exchange((sides[0], 10 * CALL_NANO))
    for side, part in zip(sides, places, strict=True):
        answer = await gateway.exchange((side, CALL_NANO), part=part, part_count=part_count, is_answer_lost=True)
        assert {line.holder_id for line in answer.tickets} == {side.organization.id}
    wanting = [ticket for ticket in await list_tickets(ledger.storage) if ticket.wanted_nano]
    assert [ticket.organization_id for ticket in wanting] == [sides[0].organization.id]
    await gateway.exchange(part=places[0], part_count=part_count, is_answer_lost=True)
    assert all(not ticket.wanted_nano for ticket in await list_tickets(ledger.storage))


async def test_answer_that_was_lost_is_not_leased_twice(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await fill(ledger, left, 100)
    for _ in range(4):
        await gateway.exchange((left, 50 * CALL_NANO), is_answer_lost=True)
    assert await count_held(ledger.storage) == 50 * CALL_NANO
    await gateway.exchange((left, 50 * CALL_NANO))
    assert gateway.count_free(left) == await count_held(ledger.storage) == 50 * CALL_NANO


async def test_raise_whose_answer_was_lost_is_told_again_and_not_leased_again(
    ledger: IntakeWorld, gateway: Gateway
) -> None:
    left = ledger.world.left
    await fill(ledger, left, 100)
    await gateway.exchange((left, CALL_NANO))
    assert gateway.count_free(left) == 50 * CALL_NANO
    for _ in range(3):
        await gateway.exchange((left, 30 * CALL_NANO), is_answer_lost=True)
    assert await count_held(ledger.storage) == 80 * CALL_NANO
    await gateway.exchange((left, 30 * CALL_NANO))
    assert gateway.count_free(left) == 80 * CALL_NANO


async def test_overtaken_report_changes_nothing(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await fill(ledger, left, 100)
    late = gateway.report([(left, CALL_NANO)])
    await gateway.exchange((left, CALL_NANO))
    before = await list_tickets(ledger.storage)
    for report in (late, late.model_copy(update={"sequence": 2})):
        with pytest.raises(StateConflict, match="overtaken"):
            await exchange_credit(ledger.storage, ledger.clock, TERMS, gateway.gateway_id, report)
    assert await list_tickets(ledger.storage) == before


async def test_report_of_a_life_that_is_over_ends_nothing(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await fill(ledger, left, 100)
    late = gateway.report([(left, CALL_NANO)], is_spool_passed=True)
    gateway.restart()
    await gateway.exchange((left, CALL_NANO))
    with pytest.raises(StateConflict):
        await exchange_credit(ledger.storage, ledger.clock, TERMS, gateway.gateway_id, late)
    assert [ticket.state for ticket in await list_tickets(ledger.storage)] == [TicketState.OPEN]


@pytest.mark.parametrize("is_last", [False, True])
async def test_gateway_touches_its_own_tickets_only(
    ledger: IntakeWorld, gateway: Gateway, other: Gateway, *, is_last: bool
) -> None:
    left = ledger.world.left
    await fill(ledger, left, 100)
    await gateway.exchange((left, CALL_NANO))
    (before,) = await list_tickets(ledger.storage)
    other.restart()
    other.tickets = dict(gateway.tickets)
    for ticket in other.tickets.values():
        ticket.returned_nano = ticket.spent_nano = CALL_NANO
    await ledger.clock.sleep(5)
    answer = await other.exchange((left, CALL_NANO), is_last=is_last, is_spool_passed=True)
    assert before.id not in {line.ticket_id for line in answer.tickets}
    async with ledger.storage.read() as view:
        assert await view.tickets.get(EVERYTHING, before.id) == replace(before, is_contested=not is_last)


async def test_restart_frees_what_was_held_once_the_spool_has_passed(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await fill(ledger, left, 10)
    await gateway.exchange((left, 10 * CALL_NANO))
    for _ in range(3):
        assert gateway.begin_call(left, CALL_NANO)
    gateway.end_call(100)
    (before,) = await list_tickets(ledger.storage)
    gateway.restart()
    await ledger.clock.sleep(TERMS.lease_s // 2)
    await gateway.exchange((left, CALL_NANO))
    assert gateway.count_free(left) == 0, "its earlier life may have spent it all"
    async with ledger.storage.read() as view:
        assert (await view.tickets.get(EVERYTHING, before.id)).expires_at == before.expires_at
    assert await gateway.upload() == ["created"]
    await gateway.exchange((left, CALL_NANO))
    assert gateway.count_free(left) == (9 * CALL_NANO) // 2
    closed, opened = sorted(await list_tickets(ledger.storage), key=lambda ticket: ticket.state)
    assert (closed.state, closed.posted_nano, closed.held_nano) == (TicketState.CLOSED, CALL_NANO, 0)
    assert opened.held_nano == gateway.count_free(left)
    async with ledger.storage.read() as view:
        (event,) = [each for each in await view.events.list(EVERYTHING, 0, 100) if each.action == "ticket.closed"]
    assert (event.actor, event.noun_id) == (f"machine:{gateway.gateway_id}", closed.id)
    assert event.detail["freed_nano"] == str(9 * CALL_NANO)


async def test_last_word_ends_the_tickets_at_once(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await fill(ledger, left, 10)
    await gateway.exchange((left, 10 * CALL_NANO))
    answer = await gateway.exchange((left, CALL_NANO), is_last=True)
    assert answer.tickets == ()
    assert await count_held(ledger.storage) == 0


async def test_what_one_lacks_comes_back_from_the_other(ledger: IntakeWorld, gateway: Gateway, other: Gateway) -> None:
    left = ledger.world.left
    await fill(ledger, left, 10)
    await gateway.exchange((left, 10 * CALL_NANO))
    answer = await other.exchange((left, 4 * CALL_NANO))
    assert (answer.refused, other.count_free(left)) == ((), 0)
    asked = await gateway.exchange()
    assert [line.give_back_nano for line in asked.tickets] == [4 * CALL_NANO]
    assert [line.give_back_nano for line in (await gateway.exchange()).tickets] == [0]
    answer = await other.exchange((left, 4 * CALL_NANO))
    assert other.count_free(left) == 4 * CALL_NANO
    assert answer.renew_s == RENEW_CONTESTED_S
    assert (await gateway.exchange()).renew_s == RENEW_CONTESTED_S
    assert gateway.count_free(left) + other.count_free(left) == 10 * CALL_NANO


async def test_want_that_is_not_repeated_is_forgotten(ledger: IntakeWorld, gateway: Gateway, other: Gateway) -> None:
    left = ledger.world.left
    await fill(ledger, left, 10)
    await gateway.exchange((left, 10 * CALL_NANO))
    await other.exchange((left, 4 * CALL_NANO))
    assert [ticket.wanted_nano for ticket in await list_tickets(ledger.storage)].count(4 * CALL_NANO) == 1
    await other.exchange()
    assert {ticket.wanted_nano for ticket in await list_tickets(ledger.storage)} == {0}


async def test_records_that_no_ticket_pays_for_are_the_platforms(ledger: IntakeWorld, gateway: Gateway) -> None:
    left, right = ledger.world.left, ledger.world.right
    await fill(ledger, left, 10)
    await fill(ledger, right, 10)
    await gateway.exchange((left, CALL_NANO), (right, CALL_NANO))
    (left_id, _), (right_id, _) = (found for side in (left, right) if (found := gateway.find_ticket(side)))
    gateway.spool = [
        gateway.write_record(left, right_id, 10),
        gateway.write_record(left, create_id(), 10),
        gateway.write_record(left, left_id, 51),
        gateway.write_record(left, left_id, 50),
        gateway.write_record(left, left_id, 1),
        gateway.write_record(left, left_id, 0),
        gateway.write_record(left, None, 1),
    ]
    wrong, spent = "wrong_ticket", "spent_ticket"
    assert await gateway.upload() == [wrong, wrong, spent, "created", spent, "created", "created"]
    balances = await list_balances(ledger.storage)
    assert balances[SUSPENSE] == -(10 + 10 + 51 + 1) * OUTPUT_NANO
    assert balances[WALLET] == 20 * CALL_NANO - 51 * OUTPUT_NANO
    async with ledger.storage.read() as view:
        noted = (await view.suspense.list(EVERYTHING, PageRequest())).items
    assert sorted(line.amount_nano // OUTPUT_NANO for line in noted) == [1, 10, 10, 51]
    assert sorted(line.code for line in noted) == [spent, spent, wrong, wrong]


async def test_silent_ticket_ends_after_the_window_and_late_records_are_the_platforms(
    ledger: IntakeWorld, gateway: Gateway
) -> None:
    left = ledger.world.left
    await fill(ledger, left, 10)
    await gateway.exchange((left, CALL_NANO))
    assert gateway.begin_call(left, CALL_NANO)
    gateway.end_call(100)
    await ledger.clock.sleep(TERMS.lease_s)
    assert not gateway.begin_call(left, CALL_NANO), "the gateway stops by itself"
    assert await run_reconciler(ledger.storage, ledger) == 0
    await ledger.clock.sleep(TERMS.lateness_s + TERMS.lease_s // WRITES_PER_LEASE)
    assert await run_reconciler(ledger.storage, ledger) == 1
    assert await count_held(ledger.storage) == 0
    assert await gateway.upload() == ["closed_ticket"]
    assert (await list_balances(ledger.storage))[WALLET] == 10 * CALL_NANO
    answer = await gateway.exchange()
    assert answer.tickets == (), "and is told that the ticket is closed"


async def test_late_record_leaves_nothing_set_aside_while_its_gateway_lives(
    ledger: IntakeWorld, gateway: Gateway, other: Gateway
) -> None:
    """Its ticket is open for weeks: what suspense paid for would be nobody's until the gateway starts anew."""
    left = ledger.world.left
    async with ledger.storage.write() as transaction:
        await ledger.journal.write_opening(transaction)
    await fill(ledger, left, 10)
    await gateway.exchange((left, 10 * CALL_NANO))
    for _ in range(3):
        assert gateway.begin_call(left, CALL_NANO)
        gateway.end_call(100)
    assert await gateway.upload(1) == ["created"]
    for _ in range(USAGE_LATE_S_MAX // TERMS.lease_s + 1):
        await ledger.clock.sleep(TERMS.lease_s)
        await gateway.exchange()
    assert await gateway.upload() == ["late_leased"] * 2
    assert await count_held(ledger.storage) == gateway.count_free(left) == 7 * CALL_NANO
    await gateway.exchange(is_answer_lost=True)
    assert await count_held(ledger.storage) == 7 * CALL_NANO, "its word takes nothing back"
    balances = await list_balances(ledger.storage)
    assert (balances[WALLET], balances[SUSPENSE]) == (9 * CALL_NANO, -2 * CALL_NANO)
    await other.exchange((left, 2 * CALL_NANO))
    assert other.count_free(left) == 2 * CALL_NANO
    async with ledger.storage.read() as view:
        assert (await audit_ledger(view, lambda _: None)).difference is None


class Money(RuleBasedStateMachine):
    """Gateways that call, report, lose answers, die and fall silent in any order, on two wallets."""

    template: ClassVar[Path]
    world: ClassVar[World]
    gateway_count = 3

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.stack = AsyncExitStack()
        opening = open_world(Path(self.folder.name) / "keisan.db", self.template, self.world)
        self.ledger = self.runner.run(self.stack.enter_async_context(opening))
        self.gateways = [Gateway(self.world.gateway.id, self.ledger)]
        for _ in range(self.gateway_count - 1):
            self.gateways.append(self.runner.run(add_gateway(self.ledger)))
        self.filled_nano = 0
        self.has_expired = False
        self.late: list[tuple[Gateway, CreditReport]] = []

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    def choose_side(self, *, is_left: bool) -> Side:
        return self.world.left if is_left else self.world.right

    @rule(is_left=st.booleans(), calls=st.integers(1, 20))
    def fill_wallet(self, *, is_left: bool, calls: int) -> None:
        self.runner.run(fill(self.ledger, self.choose_side(is_left=is_left), calls))
        self.filled_nano += calls * CALL_NANO

    @rule(
        number=st.integers(0, gateway_count - 1), is_left=st.booleans(), calls=st.integers(0, 8), is_lost=st.booleans()
    )
    def exchange(self, number: int, calls: int, *, is_left: bool, is_lost: bool) -> None:
        gateway = self.gateways[number]
        wants = [(self.choose_side(is_left=is_left), calls * CALL_NANO)] if calls else []
        self.runner.run(gateway.exchange(*wants, is_answer_lost=is_lost))

    @rule(number=st.integers(0, gateway_count - 1), is_left=st.booleans(), calls=st.integers(1, 4))
    def begin_call(self, number: int, calls: int, *, is_left: bool) -> None:
        self.gateways[number].begin_call(self.choose_side(is_left=is_left), calls * CALL_NANO)

    @rule(number=st.integers(0, gateway_count - 1), spent_part=st.integers(0, 100))
    def end_call(self, number: int, spent_part: int) -> None:
        if self.gateways[number].calls:
            self.gateways[number].end_call(spent_part)

    @rule(number=st.integers(0, gateway_count - 1), count=st.integers(1, 3))
    def upload(self, number: int, count: int) -> None:
        codes = self.runner.run(self.gateways[number].upload(count))
        allowed = {"created", "closed_ticket"} if self.has_expired else {"created"}
        assert set(codes) <= allowed

    @rule(number=st.integers(0, gateway_count - 1))
    def restart(self, number: int) -> None:
        self.gateways[number].restart()

    @rule(number=st.integers(0, gateway_count - 1), is_left=st.booleans())
    def delay_report(self, number: int, *, is_left: bool) -> None:
        gateway = self.gateways[number]
        self.late.append((gateway, gateway.report([(self.choose_side(is_left=is_left), CALL_NANO)])))

    @precondition(lambda self: self.late)
    @rule()
    def deliver_late_report(self) -> None:
        gateway, report = self.late.pop(0)
        try:
            storage, clock = self.ledger.storage, self.ledger.clock
            self.runner.run(exchange_credit(storage, clock, TERMS, gateway.gateway_id, report))
        except StateConflict:
            return

    @rule(pause_s=st.sampled_from([1, 10, 60, TERMS.lease_s, 2 * TERMS.lease_s + TERMS.lateness_s]))
    def pass_time(self, pause_s: int) -> None:
        self.runner.run(self.ledger.clock.sleep(pause_s))
        before = list_open(self.runner.run(list_tickets(self.ledger.storage)))
        self.runner.run(run_reconciler(self.ledger.storage, self.ledger))
        after = list_open(self.runner.run(list_tickets(self.ledger.storage)))
        self.has_expired |= len(after) < len(before)

    @rule(number=st.integers(0, gateway_count - 1), is_left=st.booleans())
    def want_all_there_is(self, number: int, *, is_left: bool) -> None:
        """With every gateway reachable and idle, all credit can be had by one of them within a renewal."""
        side, own = self.choose_side(is_left=is_left), self.gateways[number]
        for gateway in self.gateways:
            while gateway.calls:
                gateway.end_call(50)
            self.runner.run(gateway.upload())
            self.runner.run(gateway.exchange())
        there_nano = self.runner.run(self.ledger.read_balances())[side.organization.id]
        if not there_nano:
            return
        for _ in range(2):
            missing_nano = there_nano - own.count_free(side)
            self.runner.run(own.exchange(*[(side, missing_nano)] if missing_nano else []))
            for gateway in self.gateways:
                if gateway is not own:
                    # Once to hear what is asked back, once to say what was given.
                    self.runner.run(gateway.exchange())
                    self.runner.run(gateway.exchange())
        missing_nano = there_nano - own.count_free(side)
        self.runner.run(own.exchange(*[(side, missing_nano)] if missing_nano else []))
        assert own.count_free(side) == there_nano
        assert own.begin_call(side, there_nano)
        own.end_call(0)

    @invariant()
    def books_are_right(self) -> None:
        accounts, tickets = self.runner.run(read_books(self.ledger.storage))
        balances = dict.fromkeys(AccountKind, 0)
        for account in accounts:
            balances[account.kind] += account.balance_nano
        self.check_conservation(balances)
        for account in accounts:
            if account.kind is WALLET:
                own = [ticket for ticket in tickets if ticket.organization_id == account.organization_id]
                assert all(ticket.held_nano >= 0 for ticket in own)
                assert 0 <= sum(ticket.held_nano for ticket in own) <= account.balance_nano
        self.check_gateways({ticket.id: ticket.held_nano for ticket in tickets})

    def check_conservation(self, balances: dict[AccountKind, int]) -> None:
        assert sum(balances.values()) == 0
        assert balances[OUTSIDE] == -self.filled_nano
        assert balances[WALLET] == self.filled_nano - balances[PAYABLE] - balances[SUSPENSE]
        assert self.has_expired or balances[SUSPENSE] == 0

    def check_gateways(self, held: dict[TicketId, int]) -> None:
        """Whatever is lost: what a gateway may still spend is set aside for it."""
        now = self.ledger.clock.now()
        for gateway in self.gateways:
            for ticket_id, ticket in gateway.tickets.items():
                if now < ticket.expires_at:
                    assert ticket.free_nano + ticket.reserved_nano <= held[TicketId(ticket_id)]


def test_money_is_conserved_whatever_happens(tmp_path: Path) -> None:
    Money.template = tmp_path / "template.db"
    Money.world = asyncio.run(plant_template(Money.template))
    run_state_machine_as_test(Money, settings=settings(max_examples=20, stateful_step_count=25))
