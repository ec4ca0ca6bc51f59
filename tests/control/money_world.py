"""Towns that settle money over real links: one has customers, another serves them, and both have books that an audit reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from keisan.control.admission import admit_organization
from keisan.control.reconcilers.platform_ticket import PlatformTicketReconciler
from keisan.control.reconcilers.settlement import SettlementReconciler
from keisan.domain.access import PlatformScope, Role
from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.entry import EntryKind
from keisan.domain.ids import RecordId
from keisan.domain.key import Key
from keisan.domain.machine import Machine
from keisan.domain.model import Model
from keisan.domain.organization import Organization
from keisan.domain.page import PageRequest
from keisan.domain.platform_ticket import CreditSide, CrossCharge, CrossChargeState, PlatformTicket
from keisan.domain.price import Price, TokenClass, compute_amount_nano
from keisan.domain.replica import Replica
from keisan.domain.settlement import SETTLEMENT_ID
from keisan.kit.clock import SystemClock, to_milliseconds
from keisan.ledger.audit import audit_ledger
from keisan.ledger.intake import accept_usage
from keisan.ledger.journal import EntryDraft
from keisan.ledger.rule_platform_ticket import count_aside_nano, find_broken
from keisan.wire.admission import AdmissionCreate
from tests.control.town import Country, Town
from tests.deadline import let_time_pass_async
from tests.domain.samples import create_record_id
from tests.factories import (
    create_deployment,
    create_key,
    create_machine,
    create_model,
    create_node,
    create_organization,
    create_price,
    create_project,
    create_provider,
    create_replica,
    create_site,
)
from tests.wire.records import build_line

EVERYTHING = PlatformScope()
NOBODY = str(UUID(int=0))
FILLED_NANO = 10**12
QUANTITIES = {"input": 37, "output": 8}
TRIES = 3_000


class MovedClock(SystemClock):
    """The machine's clock, set ahead by a test."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class Shop:
    """A town with what it sells, and whom it has for customers."""

    town: Town
    model: Model
    price: Price
    gateway: Machine
    replica: Replica
    customer: Organization
    key: Key

    @property
    def id(self) -> str:
        return self.town.id

    async def hand_in(self, *lines: bytes) -> list[str]:
        answers = await accept_usage(self.town.storage, self.town.control.journal, self.gateway.id, lines)
        return [f"{each.outcome}{each.code and f' {each.code}'}" for each in answers]

    async def settle(self) -> None:
        """Do one run of settlement's work, as the lease loop would."""
        reconciler = SettlementReconciler(self.town.control)
        async with self.town.storage.read() as view:
            state = await reconciler.load(view, SETTLEMENT_ID)
        change = await reconciler.perform(reconciler.decide(state, self.town.control.clock.now()))
        async with self.town.storage.write() as transaction:
            await reconciler.apply(transaction, change, self.town.control.clock.now())

    async def look_after_tickets(self) -> None:
        """Look after every platform ticket, as the lease loop would."""
        reconciler = PlatformTicketReconciler(self.town.control)
        for ticket in await self.list_tickets():
            now = self.town.control.clock.now()
            async with self.town.storage.read() as view:
                state = await reconciler.load(view, ticket.id)
            assert state is not None
            async with self.town.storage.write() as transaction:
                await reconciler.apply(transaction, reconciler.decide(state, now), now)

    async def list_tickets(self) -> Sequence[PlatformTicket]:
        async with self.town.storage.read() as view:
            return (await view.platform_tickets.list(EVERYTHING, PageRequest())).items

    async def list_charges(self) -> dict[RecordId, CrossCharge]:
        found: dict[RecordId, CrossCharge] = {}
        for ticket in await self.list_tickets():
            async with self.town.storage.read() as view:
                page = await view.cross_charges.list_ticket(EVERYTHING, ticket.id, PageRequest(limit=500))
            found |= {each.record_id: each for each in page.items}
        return found

    async def sum_balances(self) -> dict[AccountKind, int]:
        async with self.town.storage.read() as view:
            accounts = (await view.accounts.list(EVERYTHING, PageRequest(limit=500))).items
        found: dict[AccountKind, int] = {}
        for each in accounts:
            found[each.kind] = found.get(each.kind, 0) + each.balance_nano
        return found


async def open_shop(town: Town, price_factor: int = 1) -> Shop:
    """Give a town a model, a replica of it, a gateway, and a customer with money."""
    model, gateway, provider = create_model("smol"), create_machine(), create_provider()
    price = create_price(model)
    price = replace(
        price, nano_per_million={name: nano * price_factor for name, nano in price.nano_per_million.items()}
    )
    organization, site, deployment = create_organization(), create_site(provider), create_deployment(model)
    project, node = create_project(organization), create_node(site)
    key = replace(create_key(project), role=Role.PLATFORM_ADMIN)
    replica = create_replica(deployment, site, node)

    def own(noun: Any) -> Any:
        return replace(noun, platform_id=town.id) if hasattr(noun, "platform_id") else noun

    async with town.storage.write() as transaction:
        await transaction.models.insert(own(model))
        await transaction.prices.insert(own(price))
        await transaction.machines.insert(own(gateway))
        await transaction.organizations.insert(own(organization))
        await transaction.projects.insert(own(project))
        await transaction.keys.insert(own(key))
        await transaction.providers.insert(own(provider))
        await transaction.sites.insert(own(site))
        await transaction.nodes.insert(own(node))
        await transaction.deployments.insert(own(deployment))
        await transaction.replicas.insert(own(replica))
        await town.control.journal.write_opening(transaction)
        outside = AccountKey(AccountKind.OUTSIDE, None, None, price.currency)
        wallet = AccountKey(AccountKind.WALLET, organization.id, None, price.currency)
        draft = EntryDraft(EntryKind.TOP_UP, [Transfer(outside, wallet, FILLED_NANO)], organization.id)
        await town.control.journal.write_entry(transaction, draft)
    return Shop(town, own(model), own(price), gateway, replica, own(organization), own(key))


@dataclass
class Trade:
    """Home's customer, admitted where another town serves; `lines` are both ends' records by id, home's first."""

    country: Country
    home: Shop
    serving: Shop
    ticket: PlatformTicket
    lines: dict[RecordId, tuple[bytes, bytes]] = field(default_factory=dict)

    def write_call(self, **changes: object) -> RecordId:
        """Let a call cross, and have both ends' gateways write what they saw."""
        now = self.country.clock.now()
        record_id = create_record_id(now)
        shared: dict[str, object] = {
            "record_id": str(record_id),
            "organization_id": str(self.home.customer.id),
            "admitted_at_ms": to_milliseconds(now),
            "day": now.date().isoformat(),
            "quantities": QUANTITIES,
            "crossing": {
                "home_platform_id": self.home.id,
                "serving_platform_id": self.serving.id,
                "ticket_id": str(self.ticket.id),
            },
        }
        names = ("replica_id", "deployment_id", "provider_id", "site_id")
        ours = shared | self._write_price(self.home) | dict.fromkeys(names, NOBODY)
        ours |= {"project_id": str(self.home.key.project_id), "key_id": str(self.home.key.id)}
        replica = self.serving.replica
        theirs = shared | self._write_price(self.serving) | {"project_id": NOBODY, "key_id": NOBODY}
        theirs |= {name: str(getattr(replica, name)) for name in names[1:]} | {"replica_id": str(replica.id)}
        self.lines[record_id] = build_line(**ours), build_line(**(theirs | changes))
        return record_id

    def _write_price(self, shop: Shop) -> dict[str, object]:
        return {
            "platform_id": shop.id,
            "gateway_id": str(shop.gateway.id),
            "model_id": str(shop.model.id),
            "price_id": str(shop.price.id),
            "amount_nano": str(price_call(shop)),
        }

    async def hand_in(self, *record_ids: RecordId) -> None:
        """Have both ends' gateways hand in records, all of them if none is named."""
        for number, shop in enumerate((self.home, self.serving)):
            lines = [self.lines[each][number] for each in record_ids or self.lines]
            assert set(await shop.hand_in(*lines)) <= {"created", "exists"}

    async def settle(self, *, posted: int) -> None:
        """Settle until home has posted so many records."""
        charges = {}
        for _ in range(TRIES):
            for shop in (self.serving, self.home):
                await shop.settle()
            charges = await self.home.list_charges()
            if sum(each.state is CrossChargeState.POSTED for each in charges.values()) >= posted:
                return
            await let_time_pass_async(0.02)
        raise AssertionError(
            f"{charges} {await self.home.town.list_refused()} {await self.serving.town.list_refused()}"
        )

    async def check_equal(self) -> None:
        """Assert that both ends' books say the same of every record, and of what is owed, and that each audit holds."""
        charges = [await shop.list_charges() for shop in (self.home, self.serving)]
        home, serving = [
            {key: each.wholesale_nano for key, each in own.items() if each.state is CrossChargeState.POSTED}
            for own in charges
        ]
        assert home == serving
        owed_nano = sum(serving.values())
        assert (await self.home.sum_balances()).get(AccountKind.PLATFORM_PAYABLE, 0) == owed_nano
        assert (await self.serving.sum_balances()).get(AccountKind.PLATFORM_RECEIVABLE, 0) == -owed_nano
        by_side = [
            {each.id: (each.spent_nano, each.currency) for each in await shop.list_tickets()}
            for shop in (self.home, self.serving)
        ]
        assert by_side[0] == by_side[1]
        await self.check_conserved()

    async def check_conserved(self) -> None:
        """Assert of each end that its audit holds, and of home that the customer's money is all there, and nobody overspent."""
        for shop in (self.home, self.serving):
            async with shop.town.storage.read() as view:
                assert (await audit_ledger(view, lambda _: None)).difference is None
            assert {find_broken(each) for each in await shop.list_tickets()} <= {""}
        tickets = await self.home.list_tickets()
        balances = await self.home.sum_balances()
        spent_nano = sum(each.charged_nano for each in tickets)
        aside_nano = sum(count_aside_nano(each) for each in tickets)
        assert balances[AccountKind.WALLET] + spent_nano == FILLED_NANO
        assert balances[AccountKind.WALLET] >= aside_nano >= 0


async def open_trade(country: Country, home: Shop, serving: Shop) -> Trade:
    """Admit home's customer at the serving town, and wait until that has credit. The links are connected."""
    body = AdmissionCreate(
        organization_id=home.customer.id, platform_id=serving.id, currency=serving.price.currency, policy=""
    )
    await admit_organization(home.town.control, home.key.to_principal(), body)
    for _ in range(TRIES):
        found = [each for each in await serving.list_tickets() if each.side is CreditSide.SERVING and each.ceiling_nano]
        if found:
            return Trade(country, home, serving, found[0])
        await let_time_pass_async(0.02)
    raise AssertionError(f"no credit: {await home.town.list_refused()} {await serving.town.list_refused()}")


def price_call(shop: Shop) -> int:
    """Return what a call comes to at a town's own price."""
    quantities = {TokenClass(name): count for name, count in QUANTITIES.items()}
    return compute_amount_nano(shop.price.nano_per_million, quantities)
