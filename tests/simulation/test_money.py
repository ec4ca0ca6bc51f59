"""All that moves money, at random and mixed: whatever happens, the books can be made again from nothing but raw records and entries.

Two gateways call, report, lose answers, repeat batches, die and fall silent, while people top up by four eyes, give credit,
bound, change offers, margins and tax, close months, pay providers, and dispute.
"""

import asyncio
import json
import tempfile
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from keisan.control.context import Control
from keisan.control.deduction import create_deduction
from keisan.control.dispute import open_dispute, resolve_dispute
from keisan.control.lease import LeaseLoop, Reconcilers
from keisan.control.offer import create_offer
from keisan.control.payout import create_payout
from keisan.control.reconcilers.ticket import TicketReconciler
from keisan.control.reconcilers.top_up import TopUpReconciler
from keisan.control.suspense import judge_suspense
from keisan.control.top_up import approve_top_up, create_top_up, reject_top_up
from keisan.domain.access import Principal, Role
from keisan.domain.account import Account, AccountKey, AccountKind
from keisan.domain.budget import PeriodKind
from keisan.domain.deduction import DeductionKind
from keisan.domain.entry import EntryKind
from keisan.domain.errors import AlreadyDecided, LimitExceeded, SelfApproval, StateConflict
from keisan.domain.ids import AccountId, EntryId, TicketId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import USAGE_LATE_S_MAX
from keisan.domain.page import PageRequest
from keisan.domain.price import TokenClass
from keisan.domain.statement import HolderKind
from keisan.domain.suspense import SuspenseState, SuspenseVerdict
from keisan.domain.ticket import Ticket
from keisan.domain.top_up import TopUpKind, TopUpState
from keisan.domain.usage import PostedRecord
from keisan.ledger.intake import accept_usage
from keisan.storage.base import Transaction
from keisan.wire.deduction import DeductionCreate
from keisan.wire.dispute import DisputeCreate, DisputeResolve, DisputeVerdict
from keisan.wire.offer import OfferCreate
from keisan.wire.payout import PayoutCreate
from keisan.wire.suspense import SuspenseJudge
from keisan.wire.top_up import TopUpCreate
from tests.books import check_whole
from tests.control.people import add_key
from tests.factories import SIGNER, Side, World, create_budget
from tests.ledger.credit_world import EVERYTHING, OUTPUT_NANO, TERMS, Gateway, add_gateway, plant_books
from tests.ledger.intake_world import open_world
from tests.settlement import Settlement, create_principal
from tests.simulation.test_orders import MEMORY

# Every step of everything, on a machine that others share and with every line counted.
pytestmark = pytest.mark.timeout(900)

CALL_NANO = 10 * OUTPUT_NANO
PAYERS = {True: AccountKind.SUSPENSE, False: AccountKind.WALLET}
COVERED = ("", "late_leased")
Item = TypeVar("Item")


class Rebuilt:
    """The books made again from nothing: from what each record says, and from the postings of all other entries."""

    def __init__(self) -> None:
        self.balances: dict[AccountId, int] = defaultdict(int)
        self.charged: dict[TicketId, int] = defaultdict(int)
        self.spent: dict[TicketId, int] = defaultdict(int)

    async def rebuild(self, view: Transaction, accounts: dict[AccountKey, AccountId]) -> None:
        entries = await view.entries.list(EVERYTHING, 0, 10_000)
        moved = [entry.id for entry in entries if entry.kind not in (EntryKind.USAGE, EntryKind.OPENING)]
        postings = await view.accounts.list_of_entries(EVERYTHING, moved)
        for posting in [*postings, *await view.accounts.list_unsealed(EVERYTHING)]:
            self.balances[posting.debit_account_id] -= posting.amount_nano
            self.balances[posting.credit_account_id] += posting.amount_nano
        records = await view.usage.list_entries(EVERYTHING, [entry.id for entry in entries])
        codes = await view.usage.find_suspended(EVERYTHING, [each.record.id for each in records])
        for each in records:
            self._post(each, codes.get(each.record.id, ""), accounts)

    def _post(self, posted: PostedRecord, code: str, accounts: dict[AccountKey, AccountId]) -> None:
        record, charge, currency = posted.record, posted.charge, posted.charge.currency
        owner_id = None if code else record.context.organization_id
        rest_nano = record.amount_nano - charge.provider_nano - charge.tax_nano
        for key, amount_nano in (
            (AccountKey(PAYERS[bool(code)], owner_id, None, currency), -record.amount_nano),
            (
                AccountKey(AccountKind.PROVIDER_PAYABLE, None, record.context.provider_id, currency),
                charge.provider_nano,
            ),
            (AccountKey(AccountKind.TAX, None, None, currency), charge.tax_nano),
            (AccountKey(AccountKind.PLATFORM_REVENUE, None, None, currency), rest_nano),
        ):
            if amount_nano:
                self.balances[accounts[key]] += amount_nano
        if record.ticket_id is not None and code in COVERED:
            self.charged[record.ticket_id] += record.amount_nano
            self.spent[record.ticket_id] += 0 if code else record.amount_nano


class Mixed(RuleBasedStateMachine):
    """See above. What is refused changes nothing, and is checked as everything is."""

    template: ClassVar[Path]
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.stack = AsyncExitStack()
        opening = open_world(Path(self.folder.name) / "keisan.db", self.template, self.world)
        self.ledger = self.run(self.stack.enter_async_context(opening))
        self.control = Control(self.ledger.storage, self.ledger.clock, self.world.platform.id, signer=SIGNER)
        self.settlement = Settlement(self.ledger, self.control, create_principal(Role.PLATFORM_ADMIN))
        self.gateways = [Gateway(self.world.gateway.id, self.ledger, skew_s=-1), self.run(add_gateway(self.ledger))]
        self.gateways[1].skew_s = -1
        self.handed_in: list[tuple[Gateway, bytes]] = []
        self.created_count = 0
        self.proposed: list[EntryId] = []
        self.people: list[Principal] = []
        self.run(self.begin())

    def teardown(self) -> None:
        self.run(check_whole(self.ledger.storage))
        self.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    def run(self, work: Coroutine[Any, Any, Item]) -> Item:
        return self.runner.run(work)

    async def begin(self) -> None:
        left = self.world.left
        self.people = [await add_key(self.control, left.project, Role.PLATFORM_ADMIN) for _ in range(2)]
        bound = create_budget(
            left.key, key_id=None, project_id=None, amount_nano=60 * CALL_NANO, period=PeriodKind.LIFETIME
        )
        async with self.ledger.storage.write() as transaction:
            platform = await transaction.platform.get()
            limits = {"CNY": 20 * CALL_NANO}
            await transaction.platform.update(replace(platform, four_eyes_nano=limits, version=platform.version + 1))
            await transaction.budgets.insert(bound)
        for gateway in self.gateways:
            await gateway.fetch_snapshot()

    def choose_side(self, *, is_left: bool) -> Side:
        return self.world.left if is_left else self.world.right

    @rule(is_left=st.booleans(), calls=st.integers(1, 30), is_note=st.booleans())
    def top_up(self, calls: int, *, is_left: bool, is_note: bool) -> None:
        kind = TopUpKind.CREDIT_NOTE if is_note else TopUpKind.TOP_UP
        body = TopUpCreate(amount_nano=calls * CALL_NANO, currency="CNY", kind=kind, note="so it is")
        owner_id = self.choose_side(is_left=is_left).organization.id
        made = self.run(create_top_up(self.control, self.people[0], owner_id, body))
        assert (made.state is TopUpState.PROPOSED) is (calls > 20)
        self.proposed += [made.id] if calls > 20 else []

    @precondition(lambda self: self.proposed)
    @rule(place=st.integers(0, 5), who=st.integers(0, 1), is_approval=st.booleans())
    def decide(self, place: int, who: int, *, is_approval: bool) -> None:
        top_up_id = self.proposed[place % len(self.proposed)]
        try:
            self.run((approve_top_up if is_approval else reject_top_up)(self.control, self.people[who], top_up_id))
        except (AlreadyDecided, SelfApproval):
            return

    @rule(number=st.integers(0, 1), is_left=st.booleans(), calls=st.integers(0, 9), is_lost=st.booleans())
    def exchange(self, number: int, calls: int, *, is_left: bool, is_lost: bool) -> None:
        wants = [(self.choose_side(is_left=is_left), calls * CALL_NANO)] if calls else []
        self.run(self.gateways[number].exchange(*wants, is_answer_lost=is_lost))

    @rule(number=st.integers(0, 1), is_left=st.booleans(), spent_part=st.sampled_from([0, 10, 50, 100]))
    def call(self, number: int, spent_part: int, *, is_left: bool) -> None:
        if self.gateways[number].begin_call(self.choose_side(is_left=is_left), CALL_NANO):
            self.gateways[number].end_call(spent_part)

    @rule(number=st.integers(0, 1), count=st.integers(1, 3))
    def upload(self, number: int, count: int) -> None:
        gateway = self.gateways[number]
        self.handed_in += [(gateway, line) for line in gateway.spool[:count]]
        codes = self.run(gateway.upload(count))
        assert set(codes) <= {"created", "closed_ticket", "late", "late_leased"}
        self.created_count += len(codes)

    @precondition(lambda self: self.handed_in)
    @rule(place=st.integers(0, 50), is_forged=st.booleans())
    def repeat(self, place: int, *, is_forged: bool) -> None:
        gateway, line = self.handed_in[place % len(self.handed_in)]
        said = json.dumps(json.loads(line) | {"amount_nano": "7"}).encode() if is_forged else line
        (answer,) = self.run(accept_usage(self.ledger.storage, self.ledger.journal, gateway.gateway_id, [said]))
        assert answer.outcome in (("differs", "refused") if is_forged else ("exists",))

    @rule(number=st.integers(0, 1))
    def restart(self, number: int) -> None:
        self.gateways[number].restart()

    @rule(rate_ppm=st.integers(0, 300_000), kind=st.sampled_from(DeductionKind))
    def deduct(self, rate_ppm: int, kind: DeductionKind) -> None:
        body = DeductionCreate(kind=kind, rate_ppm=rate_ppm)
        self.run(create_deduction(self.control, self.settlement.admin, body))

    @rule(is_left=st.booleans(), output_nano=st.integers(0, 3 * 10**9))
    def offer(self, output_nano: int, *, is_left: bool) -> None:
        prices = {TokenClass.OUTPUT: output_nano, TokenClass.INPUT: 1}
        provider_id = self.choose_side(is_left=is_left).provider.id
        body = OfferCreate(
            provider_id=provider_id, model_id=self.world.model.id, currency="CNY", nano_per_million=prices
        )
        self.run(create_offer(self.control, self.settlement.admin, body))

    @rule(pause_s=st.sampled_from([1, 60, TERMS.lease_s, 3 * TERMS.lease_s, USAGE_LATE_S_MAX]))
    def pass_time(self, pause_s: int) -> None:
        self.run(self.wait(pause_s))

    async def wait(self, pause_s: float) -> None:
        reconcilers: Reconcilers = {WorkNoun.TICKET: TicketReconciler(TERMS), WorkNoun.TOP_UP: TopUpReconciler()}
        await self.ledger.clock.sleep(pause_s)
        await LeaseLoop(self.control, reconcilers).run_round()

    @rule()
    def close_month(self) -> None:
        self.run(self.settle())

    async def settle(self) -> None:
        """Wait until the present month may be closed, close it, and pay what payables hold enough for."""
        now = self.ledger.clock.now()
        following = (now.replace(day=1) + timedelta(days=32)).replace(day=8, hour=0)
        await self.wait((following - now).total_seconds())
        await self.settlement.close(f"{now:%Y-%m}")
        for statement in await self.settlement.list_statements():
            await create_payout(self.control, self.settlement.admin, statement.id, PayoutCreate())

    @rule(place=st.integers(0, 9), part=st.integers(0, 100))
    def dispute(self, place: int, part: int) -> None:
        self.run(self.object_to(place, part))

    async def object_to(self, place: int, part: int) -> None:
        """Dispute a statement, and uphold it with a part of its amount; reject it for none."""
        statements = await self.settlement.list_statements()
        if not statements:
            return
        statement = statements[place % len(statements)]
        is_customer = statement.holder.kind is HolderKind.CUSTOMER
        is_left = statement.holder.id in (self.world.left.organization.id, self.world.left.provider.id)
        role = Role.ORGANIZATION_ADMIN if is_customer else Role.PROVIDER
        holder = create_principal(role, self.choose_side(is_left=is_left))
        amount_nano = statement.totals.amount_nano * part // 100 or None
        verdict = DisputeVerdict.UPHELD if amount_nano else DisputeVerdict.REJECTED
        try:
            opened = await open_dispute(self.control, holder, statement.id, DisputeCreate(reason="too much"))
            body = DisputeResolve(verdict=verdict, resolution="as it is", amount_nano=amount_nano)
            await resolve_dispute(self.control, self.settlement.admin, opened.id, body)
        except (StateConflict, LimitExceeded):
            return

    @rule(place=st.integers(0, 9), verdict=st.sampled_from(SuspenseVerdict))
    def judge(self, place: int, verdict: SuspenseVerdict) -> None:
        self.run(self.judge_suspended(place, verdict))

    async def judge_suspended(self, place: int, verdict: SuspenseVerdict) -> None:
        """Judge one of the records that suspense paid for, whether it was judged before or not."""
        async with self.ledger.storage.read() as view:
            suspended = (await view.suspense.list(EVERYTHING, PageRequest(limit=500))).items
        if suspended:
            body = SuspenseJudge(verdict=verdict)
            record_id = suspended[place % len(suspended)].record_id
            await judge_suspense(self.control, self.settlement.admin, record_id, body)

    @invariant()
    def books_are_whole(self) -> None:
        self.run(self.check_books())

    async def check_books(self) -> None:
        async with self.ledger.storage.read() as view:
            accounts = (await view.accounts.list(EVERYTHING, PageRequest(limit=500))).items
            tickets = (await view.tickets.list(EVERYTHING, PageRequest(limit=500))).items
            keys = {
                AccountKey(each.kind, each.organization_id, each.provider_id, each.currency): each.id
                for each in accounts
            }
            rebuilt = Rebuilt()
            await rebuilt.rebuild(view, keys)
            count = await view.usage.count(EVERYTHING)
            waiting = (await view.suspense.list(EVERYTHING, PageRequest(limit=500), SuspenseState.SUSPENDED)).items
            budgets = (await view.budgets.list(EVERYTHING, PageRequest(limit=500))).items
            spent = await view.budgets.list_spent(EVERYTHING, [budget.id for budget in budgets])
        assert sum(account.balance_nano for account in accounts) == 0, "debits equal credits"
        assert {account.id: account.balance_nano for account in accounts} == {
            account.id: rebuilt.balances[account.id] for account in accounts
        }
        assert {ticket.id: ticket.posted_nano for ticket in tickets} == {
            ticket.id: rebuilt.charged[ticket.id] for ticket in tickets
        }
        # The two planted records, and what was handed in for the first time.
        assert count == 2 + self.created_count, "a duplicate never posts"
        paid_nano = sum(account.balance_nano for account in accounts if account.kind is AccountKind.SUSPENSE)
        assert paid_nano == -sum(each.amount_nano for each in waiting), "suspense paid for what is not judged"
        self.check_floors(accounts, tickets)
        for budget in budgets:
            own = [ticket for ticket in tickets if budget.holder.is_over(ticket.holder)]
            spent_nano = sum(spent.get(budget.id, {}).values())
            assert spent_nano == sum(rebuilt.spent[ticket.id] for ticket in own)
            assert spent_nano + sum(ticket.held_nano for ticket in own) <= budget.amount_nano

    def check_floors(self, accounts: Sequence[Account], tickets: Sequence[Ticket]) -> None:
        """What is held is in the wallet, so that wallet = free + held; nobody is owed less than nothing."""
        assert all(ticket.held_nano >= 0 for ticket in tickets)
        for account in accounts:
            if account.kind in (AccountKind.WALLET, AccountKind.PROVIDER_PAYABLE):
                own = [each for each in tickets if each.organization_id == account.organization_id]
                assert 0 <= sum(ticket.held_nano for ticket in own) <= account.balance_nano


def test_books_can_be_made_again_whatever_happens(tmp_path: Path) -> None:
    Mixed.template = tmp_path / "template.db"
    Mixed.world = asyncio.run(plant_books(Mixed.template))
    run_state_machine_as_test(Mixed, settings=settings(max_examples=20, stateful_step_count=30))
