"""Fixtures of tests in which neighbours mean harm."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import POSTGRESQL, SharedPostgresql, migrated_file, shared_postgresql  # noqa: F401  # fixtures, found by name
from tests.e2e.federation.attack import Attack, open_attack


@pytest.fixture(params=["sqlite", POSTGRESQL])
def shared(request: pytest.FixtureRequest) -> SharedPostgresql | None:
    """Where the child under attack has its disk, None for a file of its own."""
    if request.param == "sqlite":
        return None
    found: SharedPostgresql = request.getfixturevalue("shared_postgresql")
    return found


@pytest.fixture
async def attack(
    tmp_path: Path,
    migrated_file: Path,  # noqa: F811  # the fixture is asked for by its name
    shared: SharedPostgresql | None,
) -> AsyncIterator[Attack]:
    """A parent that a test speaks for, the child that it attacks, and that one's child."""
    async with open_attack(tmp_path, migrated_file, shared) as opened:
        yield opened
