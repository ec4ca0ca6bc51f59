"""Storage on both databases, for every test that asks for `storage`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from tests.control.grant_world import GrantWorld, open_grant_world

# pytest finds a fixture by its name in this module.
# Two platforms that settle, and the post between them.
from tests.control.settlement_fixtures import home, other_storage, post, serving  # noqa: F401  # fixtures
from tests.databases import (  # noqa: F401  # fixtures
    clock,
    empty_storage,
    migrated_file,
    postgresql_storage,
    shared_postgresql,
    sqlite_storage,
    storage,
)
from tests.factories import FixedClock


@pytest.fixture
async def grants(storage: Database, clock: FixedClock, tmp_path: Path) -> AsyncIterator[GrantWorld]:  # noqa: F811  # fixtures
    """A parent on a file, and its child on either database."""
    parent_clock = FixedClock()
    parent = open_sqlite(tmp_path / "parent.db", parent_clock)
    await parent.migrate()
    try:
        async with open_grant_world(parent, storage, (parent_clock, clock)) as world:
            yield world
    finally:
        await parent.close()
