"""Fixtures of the API's tests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from keisan.api import machine_memory
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite
from tests.api.live_fleet import LiveStage, open_live
from tests.api.stage import Stage, SteppedClock, copy_stage, open_stage
from tests.databases import migrated_file  # noqa: F401  # a fixture, which pytest finds by its name here


@pytest.fixture(scope="session", autouse=True)
def patient_look() -> Iterator[None]:
    """A new machine's first frame waits for the database, also of a host that stands still for a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_memory, "MACHINE_LOOK_S_MAX", 60)
        yield


@pytest.fixture(scope="session")
def stage_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, Path]:
    """A stage that was built once and closed; what is made of it starts where it ended."""
    path = tmp_path_factory.mktemp("stage") / "keisan.db"

    async def build() -> Stage:
        clock = SteppedClock()
        async with open_stage(open_sqlite(path, clock), clock, path.parent) as built:
            return built

    return asyncio.run(build()), path


@pytest.fixture
async def stage(stage_template: tuple[Stage, Path], tmp_path: Path) -> AsyncIterator[Stage]:
    """A platform of its own for each test."""
    async with copy_stage(*stage_template, tmp_path / "keisan.db") as opened:
        yield opened


@pytest.fixture
async def postgresql_stage(postgresql_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """The same on PostgreSQL, where writers run at the same time and texts have stricter rules."""
    clock = SteppedClock()
    async with open_stage(open_postgresql(postgresql_url, clock), clock, tmp_path) as opened:
        yield opened


@pytest.fixture(params=["stage", pytest.param("postgresql_stage", marks=pytest.mark.postgresql)])
def any_stage(request: pytest.FixtureRequest) -> Stage:
    """Either of them, for what the databases may see differently."""
    opened = request.getfixturevalue(request.param)
    assert isinstance(opened, Stage)
    return opened


@pytest.fixture
async def live(stage: Stage) -> AsyncIterator[LiveStage]:
    """Two sites, live, behind the platform's real server."""
    async with open_live(stage) as opened:
        yield opened
