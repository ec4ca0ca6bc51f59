"""Storage on both databases, and a planted platform on SQLite with two gateways, for every test that asks for them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# pytest finds a fixture by its name in this module.
from tests.databases import (  # noqa: F401  # fixtures
    clock,
    empty_storage,
    migrated_file,
    postgresql_storage,
    shared_postgresql,
    sqlite_storage,
    storage,
)
from tests.ledger.credit_world import Gateway, add_gateway
from tests.ledger.intake_world import IntakeWorld, open_world, plant_template


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[IntakeWorld]:
    """A planted platform."""
    template = tmp_path / "template.db"
    world = await plant_template(template)
    async with open_world(tmp_path / "keisan.db", template, world) as opened:
        yield opened


@pytest.fixture
async def gateway(ledger: IntakeWorld) -> Gateway:
    return Gateway(ledger.world.gateway.id, ledger)


@pytest.fixture
async def other(ledger: IntakeWorld) -> Gateway:
    return await add_gateway(ledger)
