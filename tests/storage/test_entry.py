"""Entries in the database: appended, and never changed."""

import pytest
from sqlalchemy import text

from keisan.domain.errors import InvariantBroken
from keisan.storage.database import Database
from tests.factories import plant_world
from tests.ledger.test_journal import draft_top_up, write
from tests.storage.rows import execute


@pytest.mark.parametrize("statement", ["UPDATE entry SET hash = ''", "DELETE FROM entry", "DELETE FROM usage_context"])
async def test_journal_refuses_changes(storage: Database, statement: str) -> None:
    world = await plant_world(storage)
    await write(storage, world, draft_top_up(world))
    with pytest.raises(InvariantBroken, match="append-only"):
        await execute(storage, text(statement))
