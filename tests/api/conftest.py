"""Fixtures of the API's tests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.stage import Stage, copy_stage, open_stage


@pytest.fixture(scope="session")
def stage_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, Path]:
    """A stage that was built once and closed; what is made of it starts where it ended."""
    path = tmp_path_factory.mktemp("stage") / "keisan.db"

    async def build() -> Stage:
        async with open_stage(path) as built:
            return built

    return asyncio.run(build()), path


@pytest.fixture
async def stage(stage_template: tuple[Stage, Path], tmp_path: Path) -> AsyncIterator[Stage]:
    """A platform of its own for each test."""
    async with copy_stage(*stage_template, tmp_path / "keisan.db") as opened:
        yield opened
