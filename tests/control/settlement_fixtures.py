"""Fixtures: two platforms that settle, one on the storage that a test is run on, and the post between them."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from tests.control.settlement_world import Party, Post, open_party, open_post
from tests.factories import FixedClock


@pytest.fixture
async def other_storage(tmp_path: Path, migrated_file: Path, clock: FixedClock) -> AsyncIterator[Database]:
    """The disk of the other platform."""
    path = tmp_path / "other.db"
    shutil.copy(migrated_file, path)
    opened = open_sqlite(path, clock)
    yield opened
    await opened.close()


@pytest.fixture
async def home(storage: Database, clock: FixedClock) -> Party:
    """The platform whose customers call."""
    return await open_party(storage, clock, "CN-SH")


@pytest.fixture
async def serving(other_storage: Database, clock: FixedClock) -> Party:
    """The platform that serves them."""
    return await open_party(other_storage, clock, "CN-SX")


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch, home: Party, serving: Party) -> Post:
    """What carries their letters."""
    return open_post(monkeypatch, home, serving)
