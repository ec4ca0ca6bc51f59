"""Fixtures of control: one SQLite file with the newest schema, a world in it, and a clock that stands still."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.control.context import Control
from keisan.domain.key import Secret
from keisan.domain.key_chain import KeyChain
from keisan.federation.identity import LinkIdentity
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from tests.databases import migrated_file  # noqa: F401  # a fixture, which pytest finds by its name here
from tests.factories import SIGNER, FixedClock, World, plant_world


@pytest.fixture
def clock() -> FixedClock:
    """The clock of storage and control."""
    return FixedClock()


@pytest.fixture
async def storage(
    tmp_path: Path,
    migrated_file: Path,  # noqa: F811  # the fixture is asked for by its name
    clock: FixedClock,
) -> AsyncIterator[Database]:
    """Storage that is migrated and otherwise empty; what differs between databases is tried in tests/contracts."""
    path = tmp_path / "keisan.db"
    # Migrating takes longer than most tests.
    shutil.copyfile(migrated_file, path)
    opened = open_sqlite(path, clock)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def world(storage: Database) -> World:
    """A small platform in that storage."""
    return await plant_world(storage)


@pytest.fixture
def control(storage: Database, clock: FixedClock, world: World) -> Control:
    """What commands of the planted platform work with."""
    return Control(
        storage,
        clock,
        world.platform.id,
        door_root=Secret("the root of the tests"),
        webhook_root=Secret("another root of the tests"),
        signer=SIGNER,
        identity=LinkIdentity(KeyChain(SIGNER.public_key), SIGNER, bytes(32)),
    )
