"""A small platform that settles: records handed in at any time, months closed, providers paid, statements disputed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keisan.control.context import Control
from keisan.control.reconcilers.closing import CLOSING_ID, ClosingReconciler
from keisan.control.statement import ask_closing
from keisan.domain.access import RIGHTS_BY_ROLE, OrganizationScope, PlatformScope, Principal, ProviderScope, Role
from keisan.domain.closing import Closing
from keisan.domain.ids import RecordId
from keisan.domain.page import PageRequest
from keisan.domain.statement import CloseOutcome, HolderKind, Statement, StatementHolder
from keisan.domain.usage import PostedRecord
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.wire.statement import StatementClose
from tests.domain.samples import create_record_id
from tests.factories import IDENTITY, SIGNER, FixedClock, Side, World, plant_world
from tests.ledger.intake_world import IntakeWorld

EVERYTHING = PlatformScope()
PAGE_ITEMS_MAX = 500
RUNS_MAX = 400


async def run_closings(control: Control) -> None:
    """Do all closings that are asked for, as the lease loop would."""
    for _ in range(RUNS_MAX):
        if not await run_part(control):
            return
    raise AssertionError("closings do not come to an end")


async def run_part(control: Control) -> bool:
    """Do one run of the closing that is next, whole, and tell whether there was one."""
    reconciler = ClosingReconciler(control)
    async with control.storage.read() as view:
        state = await reconciler.load(view, CLOSING_ID)
    if state is None:
        return False
    change = await reconciler.perform(reconciler.decide(state, control.clock.now()))
    async with control.storage.write() as transaction:
        await reconciler.apply(transaction, change, control.clock.now())
    return True


def create_principal(role: Role, side: Side | None = None) -> Principal:
    """Return who stands behind a key of a role, of a side's organization or provider."""
    scope: PlatformScope | OrganizationScope | ProviderScope = EVERYTHING
    if side is not None:
        is_provider = role is Role.PROVIDER
        scope = ProviderScope(side.provider.id) if is_provider else OrganizationScope(side.organization.id)
    return Principal(create_id(), scope, RIGHTS_BY_ROLE[role])


@dataclass(frozen=True)
class Settlement:
    """The platform, its clock, and its administrator."""

    ledger: IntakeWorld
    control: Control
    admin: Principal

    @property
    def world(self) -> World:
        return self.ledger.world

    @property
    def clock(self) -> FixedClock:
        return self.ledger.clock

    def name_customer(self, side: Side) -> StatementHolder:
        return StatementHolder(HolderKind.CUSTOMER, side.organization.id, "CNY")

    def name_provider(self, side: Side) -> StatementHolder:
        return StatementHolder(HolderKind.PROVIDER, side.provider.id, "CNY")

    async def hand_in(self, payer: Side, payee: Side, admitted_at: datetime, **changes: object) -> RecordId:
        """Hand in the record of a call that was admitted then; it comes now."""
        record_id = create_record_id(admitted_at)
        facts: dict[str, object] = {
            "deployment_id": str(payee.deployment.id),
            "replica_id": str(payee.replica.id),
            "provider_id": str(payee.provider.id),
            "site_id": str(payee.site.id),
            "admitted_at_ms": to_milliseconds(admitted_at),
            "day": admitted_at.date().isoformat(),
        }
        line = self.ledger.write_record(record_id, payer, **(facts | changes))
        (answer,) = await self.ledger.hand_in(line)
        assert answer.outcome == "created", answer
        return record_id

    async def ask(self, period: str, holder: StatementHolder | None = None) -> Closing:
        body = StatementClose(period=period, holder_id=holder.id if holder else None)
        return await ask_closing(self.control, self.admin, body)

    async def close(self, period: str) -> Mapping[CloseOutcome, int]:
        """Have a period closed, do all that is asked for, and return what came of this one."""
        asked = await self.ask(period)
        await run_closings(self.control)
        async with self.control.storage.read() as view:
            return (await view.closings.get(EVERYTHING, asked.id)).counts

    async def list_statements(self) -> list[Statement]:
        async with self.control.storage.read() as view:
            return list((await view.statements.list(EVERYTHING, PageRequest(limit=PAGE_ITEMS_MAX))).items)

    async def get_statement(self, holder: StatementHolder, period: str) -> Statement:
        found = {(each.holder, f"{each.period.first_day:%Y-%m}"): each for each in await self.list_statements()}
        return found[holder, period]

    async def list_records(self, statement: Statement) -> list[PostedRecord]:
        """Return a statement's records, fetched one by one."""
        records: list[PostedRecord] = []
        page: PageRequest | None = PageRequest(limit=1)
        async with self.control.storage.read() as view:
            while page is not None:
                found = await view.statement_records.list(EVERYTHING, statement.span, page)
                records += found.items
                page = PageRequest(found.next_after, 1) if found.next_after else None
        return records


async def open_settlement(storage: Database, clock: FixedClock) -> Settlement:
    """Plant a world in empty storage and return what settles in it."""
    world = await plant_world(storage)
    control = Control(storage, clock, world.platform.id, signer=SIGNER, identity=IDENTITY)
    return Settlement(IntakeWorld(storage, clock, world), control, create_principal(Role.PLATFORM_ADMIN))
