"""Budgets in the credit exchange and at intake, on a real SQLite file: nothing is spent past one, and nothing refused for long."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from keisan.domain.account import AccountKind
from keisan.domain.alert import AlertKind
from keisan.domain.budget import Budget, PeriodKind
from keisan.domain.holder import Holder
from keisan.domain.limits import USAGE_LATE_S_MAX
from keisan.domain.organization import Billing
from keisan.domain.page import PageRequest
from keisan.domain.ticket import Ticket, TicketState
from keisan.ledger.rule_budget import BudgetBook
from keisan.storage.base import Storage
from tests.factories import NOW, Side, World, create_budget, create_key
from tests.ledger.credit_world import (
    EVERYTHING,
    OUTPUT_NANO,
    Gateway,
    add_gateway,
    list_open,
    list_tickets,
    read_books,
    top_up,
)
from tests.ledger.intake_world import IntakeWorld, open_world, plant_template

CALL_NANO = 10 * OUTPUT_NANO
MEMORY = Path("/dev/shm")
HOUR_S, DAY_S, MONTH_S = 3600, 86_400, 31 * 86_400


async def set_budgets(storage: Storage, side: Side, *budgets: Budget, billing: Billing = Billing.PREPAID) -> None:
    """Give a side these budgets in place of the one it was planted with, and a way to pay."""
    async with storage.write() as transaction:
        await transaction.budgets.delete(side.budget)
        for budget in budgets:
            await transaction.budgets.insert(budget)
        organization = replace(side.organization, billing=billing, version=2)
        await transaction.organizations.update(organization)


def build_budget(side: Side, level: int, calls: int, **changes: object) -> Budget:
    """Return a budget of so many calls: level 0 is the organization's, 1 the project's, 2 the key's."""
    place = {"project_id": side.project.id if level else None, "key_id": side.key.id if level == 2 else None}
    return create_budget(side.key, **place, amount_nano=calls * CALL_NANO, **changes)


async def read_books_of(storage: Storage) -> dict[Budget, BudgetBook]:
    async with storage.read() as view:
        budgets = (await view.budgets.list(EVERYTHING, PageRequest(limit=500))).items
        spent = await view.budgets.list_spent(EVERYTHING, [budget.id for budget in budgets])
        owners = await view.organizations.list_all(EVERYTHING)
    zones = {owner.id: owner.time_zone for owner in owners}
    return {budget: BudgetBook(budget, zones[budget.organization_id], spent.get(budget.id, {})) for budget in budgets}


def count_held(tickets: Sequence[Ticket], budget: Budget) -> int:
    return sum(
        ticket.held_nano
        for ticket in tickets
        if ticket.currency == budget.currency and budget.holder.is_over(ticket.holder)
    )


async def spend(gateway: Gateway, side: Side, calls: int) -> None:
    for _ in range(calls):
        assert gateway.begin_call(side, CALL_NANO)
        gateway.end_call(100)
    assert set(await gateway.upload()) <= {"created"}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("billing", list(Billing))
async def test_budget_bounds_what_is_leased(
    ledger: IntakeWorld, gateway: Gateway, level: int, billing: Billing
) -> None:
    left = ledger.world.left
    await set_budgets(ledger.storage, left, build_budget(left, level, 3), billing=billing)
    await gateway.fetch_snapshot()
    if billing is Billing.PREPAID:
        answer = await gateway.exchange((left, CALL_NANO))
        assert answer.tickets == (), "a budget is no money"
        await top_up(ledger.storage, left.organization.id, 100 * CALL_NANO)
    answer = await gateway.exchange((left, 5 * CALL_NANO))
    (line,) = answer.tickets
    assert (line.holder_id, line.credit_nano) == (gateway.choose_holder(left), 3 * CALL_NANO)
    (refused,) = answer.refused
    assert (refused.holder_id, refused.bound) == (line.holder_id, "budget")
    await spend(gateway, left, 3)
    (book,) = [book for budget, book in (await read_books_of(ledger.storage)).items() if budget.amount_nano < 10**30]
    assert (book.sum_present(NOW), await count_all_held(ledger)) == (3 * CALL_NANO, 0)
    answer = await gateway.exchange((left, CALL_NANO))
    assert [line.bound for line in answer.refused] == ["budget"]


async def count_all_held(ledger: IntakeWorld) -> int:
    return sum(ticket.held_nano for ticket in await list_tickets(ledger.storage))


async def test_every_bound_on_the_path_holds(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await top_up(ledger.storage, left.organization.id, 5 * CALL_NANO)
    levels = {0: 9, 1: 4, 2: 8}
    await set_budgets(ledger.storage, left, *(build_budget(left, level, calls) for level, calls in levels.items()))
    await gateway.fetch_snapshot()
    await gateway.exchange((left, 9 * CALL_NANO))
    assert gateway.count_free(left) == 4 * CALL_NANO
    await change_amount(ledger, 1, 50)
    answer = await gateway.exchange((left, 9 * CALL_NANO))
    assert gateway.count_free(left) == 5 * CALL_NANO
    assert [line.bound for line in answer.refused] == ["wallet"]


async def change_amount(ledger: IntakeWorld, level: int, calls: int) -> None:
    """Change the amount of the left side's budget at a level."""
    left = ledger.world.left
    holder_id = (left.organization.id, left.project.id, left.key.id)[level]
    async with ledger.storage.write() as transaction:
        (budget,) = await transaction.budgets.lock_holders([holder_id])
        changed = replace(budget, amount_nano=calls * CALL_NANO, version=budget.version + 1)
        await transaction.budgets.update(changed)


async def test_keys_of_a_project_share_its_budget(ledger: IntakeWorld, gateway: Gateway, other: Gateway) -> None:
    """What one key's gateway holds and does not need comes back for the other key."""
    left = ledger.world.left
    await top_up(ledger.storage, left.organization.id, 100 * CALL_NANO)
    second = replace(left, key=create_key(left.project))
    own = [build_budget(side, 2, 50) for side in (left, second)]
    async with ledger.storage.write() as transaction:
        await transaction.keys.insert(second.key)
    await set_budgets(ledger.storage, left, build_budget(left, 1, 10), *own)
    for each in (gateway, other):
        await each.fetch_snapshot()
    await gateway.exchange((left, 10 * CALL_NANO))
    answer = await other.exchange((second, 6 * CALL_NANO))
    assert (answer.refused, answer.tickets[0].holder_id) == ((), second.key.id)
    await gateway.exchange()
    await gateway.exchange()
    await other.exchange((second, 6 * CALL_NANO))
    assert (gateway.count_free(left), other.count_free(second)) == (4 * CALL_NANO, 6 * CALL_NANO)


async def test_currency_without_a_budget_fails_closed(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await top_up(ledger.storage, left.organization.id, 100 * CALL_NANO)
    dollars = build_budget(left, 1, 50, currency="USD")
    await set_budgets(ledger.storage, left, build_budget(left, 2, 50), dollars)
    await gateway.fetch_snapshot()
    answer = await gateway.exchange((left, CALL_NANO))
    assert (answer.tickets, [line.bound for line in answer.refused]) == ((), [""])


async def test_next_month_has_its_amount_again(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await set_budgets(ledger.storage, left, build_budget(left, 0, 4), billing=Billing.POSTPAID)
    await gateway.fetch_snapshot()
    await gateway.exchange((left, 4 * CALL_NANO))
    await spend(gateway, left, 3)
    await ledger.clock.sleep(MONTH_S)
    await gateway.exchange((left, 3 * CALL_NANO))
    # One is held since last month, and is this month's now.
    assert await count_all_held(ledger) == 4 * CALL_NANO


async def test_ticket_of_a_holder_without_budgets_is_asked_back_and_closed_when_empty(
    ledger: IntakeWorld, gateway: Gateway
) -> None:
    left = ledger.world.left
    await top_up(ledger.storage, left.organization.id, 100 * CALL_NANO)
    budget = build_budget(left, 2, 10)
    await set_budgets(ledger.storage, left, budget)
    await gateway.fetch_snapshot()
    await gateway.exchange((left, 10 * CALL_NANO))
    assert gateway.begin_call(left, CALL_NANO)
    async with ledger.storage.write() as transaction:
        await transaction.budgets.delete(budget)
    answer = await gateway.exchange((left, CALL_NANO))
    assert [line.give_back_nano for line in answer.tickets] == [10 * CALL_NANO]
    assert [line.holder_id for line in answer.refused] == [left.key.id], "its snapshot is old"
    gateway.end_call(100)
    await gateway.exchange()
    (ticket,) = await list_tickets(ledger.storage)
    assert (ticket.state, ticket.held_nano) == (TicketState.OPEN, CALL_NANO)
    assert await gateway.upload() == ["created"], "what was admitted before is paid from its ticket"
    await gateway.fetch_snapshot()
    await gateway.exchange((left, CALL_NANO))
    closed, opened = sorted(await list_tickets(ledger.storage), key=lambda ticket: ticket.state)
    assert (closed.state, closed.posted_nano, closed.key_id) == (TicketState.CLOSED, CALL_NANO, left.key.id)
    assert opened.holder == Holder(left.organization.id)


async def test_postpaid_organization_has_its_tickets_asked_back(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await top_up(ledger.storage, left.organization.id, 100 * CALL_NANO)
    await gateway.exchange((left, CALL_NANO))
    await set_budgets(ledger.storage, left, billing=Billing.POSTPAID)
    answer = await gateway.exchange((left, CALL_NANO))
    assert [line.give_back_nano for line in answer.tickets] == [50 * CALL_NANO]
    await gateway.exchange()
    assert {ticket.state for ticket in await list_tickets(ledger.storage)} == {TicketState.CLOSED}


async def test_revoked_key_is_leased_nothing(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await top_up(ledger.storage, left.organization.id, 100 * CALL_NANO)
    await gateway.fetch_snapshot()
    async with ledger.storage.write() as transaction:
        await transaction.keys.update(replace(left.key, revoked_at=NOW, version=2))
    answer = await gateway.exchange((left, CALL_NANO))
    assert (answer.tickets, [line.holder_id for line in answer.refused]) == ((), [left.key.id])


async def test_ticket_pays_for_its_holder_only(ledger: IntakeWorld, gateway: Gateway) -> None:
    left = ledger.world.left
    await top_up(ledger.storage, left.organization.id, 100 * CALL_NANO)
    second = replace(left, key=create_key(left.project))
    async with ledger.storage.write() as transaction:
        await transaction.keys.insert(second.key)
    await gateway.fetch_snapshot()
    await gateway.exchange((left, CALL_NANO))
    (ticket,) = await list_tickets(ledger.storage)
    assert ticket.holder == Holder(left.organization.id, left.project.id, left.key.id)
    gateway.spool = [gateway.write_record(side, ticket.id, 10) for side in (second, left)]
    assert await gateway.upload() == ["wrong_ticket", "created"]
    ((_, book),) = [each for each in (await read_books_of(ledger.storage)).items() if each[0].id == left.budget.id]
    assert book.sum_present(NOW) == CALL_NANO, "what suspense pays is in no budget"


class Budgets(RuleBasedStateMachine):
    """Gateways that call, report, lose answers and die, with clocks that are wrong, under three budgets that change."""

    template: ClassVar[Path]
    world: ClassVar[World]
    gateway_count = 2

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
        left = self.world.left
        self.sides = [left, replace(left, key=create_key(left.project))]
        self.used: dict[object, int] = {}

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    @initialize(
        billing=st.sampled_from(Billing),
        periods=st.tuples(*[st.sampled_from(PeriodKind)] * 3),
        calls=st.tuples(*[st.integers(3, 12)] * 3),
    )
    def open(self, billing: Billing, periods: Sequence[PeriodKind], calls: Sequence[int]) -> None:
        self.runner.run(self.plant(billing, periods, calls))

    async def plant(self, billing: Billing, periods: Sequence[PeriodKind], calls: Sequence[int]) -> None:
        left = self.world.left
        async with self.ledger.storage.write() as transaction:
            await transaction.keys.insert(self.sides[1].key)
        budgets = [
            build_budget(left, level, calls[level], period=period, window_s=HOUR_S if period == "rolling" else None)
            for level, period in enumerate(periods)
        ]
        await set_budgets(self.ledger.storage, left, *budgets, billing=billing)
        self.is_prepaid = billing is Billing.PREPAID
        await top_up(self.ledger.storage, left.organization.id, 10 * CALL_NANO)
        for gateway in self.gateways:
            await gateway.fetch_snapshot()

    @rule(calls=st.integers(1, 10))
    def fill_wallet(self, calls: int) -> None:
        self.runner.run(top_up(self.ledger.storage, self.world.left.organization.id, calls * CALL_NANO))

    @rule(number=st.integers(0, 1), key=st.integers(0, 1), calls=st.integers(0, 6), is_lost=st.booleans())
    def exchange(self, number: int, key: int, calls: int, *, is_lost: bool) -> None:
        wants = [(self.sides[key], calls * CALL_NANO)] if calls else []
        self.runner.run(self.gateways[number].exchange(*wants, is_answer_lost=is_lost))

    @rule(number=st.integers(0, 1), key=st.integers(0, 1), calls=st.integers(1, 3))
    def begin_call(self, number: int, key: int, calls: int) -> None:
        self.gateways[number].begin_call(self.sides[key], calls * CALL_NANO)

    @rule(number=st.integers(0, 1), skew_s=st.sampled_from([0, 0, -60, -HOUR_S, -DAY_S, 60, HOUR_S]))
    def end_call(self, number: int, skew_s: int) -> None:
        gateway = self.gateways[number]
        gateway.skew_s = skew_s
        if gateway.calls:
            gateway.end_call(100)

    @rule(number=st.integers(0, 1), count=st.integers(1, 3))
    def upload(self, number: int, count: int) -> None:
        assert set(self.runner.run(self.gateways[number].upload(count))) <= {"created"}

    @rule(number=st.integers(0, 1))
    def restart(self, number: int) -> None:
        self.gateways[number].restart()

    @rule(pause_s=st.sampled_from([1, 60, 1800, HOUR_S, MONTH_S]))
    def pass_time(self, pause_s: int) -> None:
        self.runner.run(self.wait(pause_s))

    async def wait(self, pause_s: int) -> None:
        # What comes after the window is suspense's, whatever budgets say; tests/ledger/test_rule_budget.py turns clocks farther.
        if pause_s >= USAGE_LATE_S_MAX:
            for gateway in self.gateways:
                gateway.skew_s = 0
                while gateway.calls:
                    gateway.end_call(100)
                assert set(await gateway.upload()) <= {"created"}
        await self.ledger.clock.sleep(pause_s)

    @rule(level=st.integers(0, 2), calls=st.integers(0, 15))
    def change_amount(self, level: int, calls: int) -> None:
        async def change() -> None:
            left = self.world.left
            holder_id = (left.organization.id, left.project.id, left.key.id)[level]
            async with self.ledger.storage.write() as transaction:
                for budget in await transaction.budgets.lock_holders([holder_id]):
                    changed = replace(budget, amount_nano=calls * CALL_NANO, version=budget.version + 1)
                    await transaction.budgets.update(changed)

        self.runner.run(change())

    @rule(level=st.integers(0, 2))
    def delete_budget(self, level: int) -> None:
        async def delete() -> None:
            left = self.world.left
            holder_id = (left.organization.id, left.project.id, left.key.id)[level]
            async with self.ledger.storage.write() as transaction:
                for budget in await transaction.budgets.lock_holders([holder_id]):
                    await transaction.budgets.delete(budget)

        self.runner.run(delete())

    @rule(number=st.integers(0, 1))
    def fetch_snapshot(self, number: int) -> None:
        self.runner.run(self.gateways[number].fetch_snapshot())

    @rule(number=st.integers(0, 1), key=st.integers(0, 1))
    def want_all_there_is(self, number: int, key: int) -> None:
        """With every gateway reachable and idle, all that every bound leaves can be had by one within a renewal."""
        self.runner.run(self.gather(self.gateways[number], self.sides[key]))

    async def gather(self, own: Gateway, side: Side) -> None:
        for gateway in self.gateways:
            gateway.skew_s = 0
            while gateway.calls:
                gateway.end_call(50)
            assert set(await gateway.upload()) <= {"created"}
            await gateway.fetch_snapshot()
            # Tickets of holders without budgets go back, and close.
            for _ in range(3):
                await gateway.exchange()
        there_nano = await self.count_there(own, side)
        if there_nano is None:
            return
        for _ in range(3):
            missing_nano = there_nano - own.count_free(side)
            await own.exchange(*[(side, missing_nano)] if missing_nano > 0 else [])
            for gateway in self.gateways:
                # Once to hear what is asked back, once to say what was given.
                await gateway.exchange()
                await gateway.exchange()
            await self.ledger.clock.sleep(1)
        missing_nano = there_nano - own.count_free(side)
        await own.exchange(*[(side, missing_nano)] if missing_nano > 0 else [])
        assert own.count_free(side) >= there_nano

    async def count_there(self, own: Gateway, side: Side) -> int | None:
        """Return what every bound leaves to a side, None if nothing bounds it."""
        accounts, _ = await read_books(self.ledger.storage)
        holder = Holder(side.organization.id, side.project.id, side.key.id)
        bounds = [
            book.budget.amount_nano - book.sum_present(self.ledger.clock.now())
            for book in (await read_books_of(self.ledger.storage)).values()
            if book.budget.holder.is_over(holder)
        ]
        if self.is_prepaid:
            bounds += [
                account.balance_nano
                for account in accounts
                if (account.kind, account.organization_id) == (AccountKind.WALLET, side.organization.id)
            ]
        # A postpaid organization's calls that nobody bounds need no ticket.
        is_bound = self.is_prepaid or own.choose_holder(side) in own.budgeted or side.organization.id in own.budgeted
        return max(0, min(bounds)) if bounds and is_bound else None

    @invariant()
    def bounds_hold(self) -> None:
        if not hasattr(self, "is_prepaid"):
            return
        accounts, tickets = self.runner.run(read_books(self.ledger.storage))
        books = self.runner.run(read_books_of(self.ledger.storage))
        now = self.ledger.clock.now()
        assert all(ticket.held_nano >= 0 for ticket in tickets)
        for account in accounts:
            if self.is_prepaid and account.kind is AccountKind.WALLET and account.balance_nano:
                own = [ticket for ticket in tickets if ticket.organization_id == account.organization_id]
                assert sum(ticket.held_nano for ticket in own) <= account.balance_nano
        for budget, book in books.items():
            used_nano = book.sum_present(now) + count_held(list_open(tickets), budget)
            # Where an amount was lowered below what is used, no more is.
            assert used_nano <= max(budget.amount_nano, self.used.get(budget.id, 0))
            self.used[budget.id] = used_nano
            if budget.period is PeriodKind.LIFETIME:
                under = [ticket for ticket in tickets if budget.holder.is_over(ticket.holder)]
                assert book.sum_present(now) == sum(ticket.posted_nano for ticket in under), "counted once"
        self.check_gateways({ticket.id: ticket.held_nano for ticket in tickets})

    def check_gateways(self, held: dict[object, int]) -> None:
        """Whatever is lost: what a gateway may still spend is set aside for it."""
        now = self.ledger.clock.now()
        for gateway in self.gateways:
            for ticket_id, ticket in gateway.tickets.items():
                if now < ticket.expires_at:
                    assert ticket.free_nano + ticket.reserved_nano <= held[ticket_id]


def test_no_budget_is_passed_whatever_happens(tmp_path: Path) -> None:
    Budgets.template = tmp_path / "template.db"
    Budgets.world = asyncio.run(plant_template(Budgets.template))
    run_state_machine_as_test(Budgets, settings=settings(max_examples=20, stateful_step_count=25, deadline=None))


async def test_thresholds_are_told_once_as_they_are_crossed(ledger: IntakeWorld, gateway: Gateway) -> None:
    side = ledger.world.left
    await top_up(ledger.storage, side.organization.id, 100 * CALL_NANO)
    await set_budgets(ledger.storage, side, build_budget(side, 0, 10))
    await gateway.fetch_snapshot()
    await gateway.exchange((side, 10 * CALL_NANO))
    planted = await list_thresholds(ledger)
    told: list[list[str]] = []
    for _ in range(10):
        await spend(gateway, side, 1)
        told.append((await list_thresholds(ledger))[len(planted) :])
    crossed = ["500000", "800000", "1000000"]
    assert told == [crossed[: (calls >= 5) + (calls >= 8) + (calls >= 10)] for calls in range(1, 11)]


async def list_thresholds(ledger: IntakeWorld) -> list[str]:
    async with ledger.storage.read() as view:
        alerts = (await view.alerts.list(EVERYTHING, PageRequest(limit=100))).items
    return [alert.detail["threshold_ppm"] for alert in alerts if alert.kind is AlertKind.BUDGET_THRESHOLD]
