"""A small platform in a real SQLite file, and usage records as its gateway would hand them in."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.page import PageRequest
from keisan.domain.price import TokenClass, compute_amount_nano
from keisan.domain.quarantine import QuarantineState
from keisan.kit.clock import to_milliseconds
from keisan.ledger.intake import IntakeAnswer, accept_usage
from keisan.ledger.journal import Journal
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from tests.factories import NOW, FixedClock, Side, World, build_journal, plant_world
from tests.wire.records import build_line

SCOPE = PlatformScope()


@dataclass(frozen=True)
class IntakeWorld:
    """Storage, its clock and what is planted in it."""

    storage: Database
    clock: FixedClock
    world: World

    @property
    def journal(self) -> Journal:
        return build_journal(self.world.platform.id, self.clock)

    def write_record(self, record_id: UUID, side: Side | None = None, /, **changes: object) -> bytes:
        """Return a record of one side's call, priced right unless the amount is given."""
        side = side or self.world.left
        quantities = changes.get("quantities", {"input": 37, "output": 8})
        assert isinstance(quantities, Mapping)
        prices = self.world.price.nano_per_million
        amount_nano = compute_amount_nano(prices, {TokenClass(name): count for name, count in quantities.items()})
        facts: dict[str, object] = {
            "record_id": str(record_id),
            "platform_id": self.world.platform.id,
            "gateway_id": str(self.world.gateway.id),
            "organization_id": str(side.organization.id),
            "project_id": str(side.project.id),
            "key_id": str(side.key.id),
            "model_id": str(self.world.model.id),
            "price_id": str(self.world.price.id),
            "deployment_id": str(side.deployment.id),
            "replica_id": str(side.replica.id),
            "provider_id": str(side.provider.id),
            "site_id": str(side.site.id),
            "admitted_at_ms": to_milliseconds(NOW),
            "day": NOW.date().isoformat(),
            "quantities": quantities,
            "amount_nano": str(amount_nano),
        }
        return build_line(**(facts | changes))

    async def hand_in(self, *lines: bytes) -> tuple[IntakeAnswer, ...]:
        return await accept_usage(self.storage, self.journal, self.world.gateway.id, lines)

    async def read_balances(self) -> dict[UUID, int]:
        """Return the balance of every wallet and payable by its owner."""
        async with self.storage.read() as view:
            accounts = await view.accounts.list(SCOPE, PageRequest())
        owners = ((account.organization_id or account.provider_id, account.balance_nano) for account in accounts.items)
        return {owner: balance for owner, balance in owners if owner is not None}

    async def sum_balances(self) -> Mapping[str, int]:
        async with self.storage.read() as view:
            return await view.accounts.sum_balances(SCOPE)

    async def count_quarantined(self) -> int:
        async with self.storage.read() as view:
            return len((await view.quarantine.list(SCOPE, PageRequest(limit=500), QuarantineState.QUARANTINED)).items)


async def plant_template(path: Path) -> World:
    """Make a database file with a world in it, to be copied."""
    storage = open_sqlite(path, FixedClock())
    try:
        await storage.migrate()
        return await plant_world(storage)
    finally:
        await storage.close()


@asynccontextmanager
async def open_world(path: Path, template: Path, world: World) -> AsyncIterator[IntakeWorld]:
    """Open a copy of a template."""
    shutil.copyfile(template, path)
    clock = FixedClock()
    storage = open_sqlite(path, clock)
    try:
        yield IntakeWorld(storage, clock, world)
    finally:
        await storage.close()
