"""Seeded organizations: made once, with keys that work, and found again."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.daemon.folder import prepare_folder
from keisan.daemon.nation_seed import locate_keys, seed_organizations
from keisan.domain.errors import Failed
from keisan.sdk import AsyncKeisan, Connections
from tests.api.conftest import stage, stage_template
from tests.api.stage import Stage
from tests.sdk.platform import connect

__all__ = ["stage", "stage_template"]
NAMES = ("Solar desk", "Glacier survey")


@pytest.fixture
async def admin(stage: Stage) -> AsyncIterator[AsyncKeisan]:
    async with AsyncKeisan.over(Connections(connect(stage, "admin"), clock=stage.clock)) as client:
        yield client


async def list_names(admin: AsyncKeisan) -> list[str]:
    return [each.name async for each in admin.organizations.list() if each.name in NAMES]


async def test_keys_are_made_once_and_kept_for_their_owner_alone(admin: AsyncKeisan, tmp_path: Path) -> None:
    path = locate_keys(prepare_folder(tmp_path / "platform"))
    keys = await seed_organizations(admin, NAMES, path)
    assert (list(keys), await list_names(admin)) == (list(NAMES), list(NAMES))
    assert all(key.startswith("sk-keisan-") for key in keys.values())
    assert path.stat().st_mode & 0o777 == 0o600
    before = len([key async for key in admin.keys.list()])
    assert await seed_organizations(admin, NAMES, path) == keys
    assert len([key async for key in admin.keys.list()]) == before


async def test_organization_that_lost_its_key_gets_another_and_no_namesake(admin: AsyncKeisan, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = await seed_organizations(admin, NAMES, path)
    path.write_text(json.dumps({NAMES[0]: first[NAMES[0]]}))
    second = await seed_organizations(admin, NAMES, path)
    assert (second[NAMES[0]], second[NAMES[1]] != first[NAMES[1]]) == (first[NAMES[0]], True)
    assert await list_names(admin) == list(NAMES)


async def test_damaged_file_is_told(admin: AsyncKeisan, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(Failed, match="damaged"):
        await seed_organizations(admin, NAMES, tmp_path / "keys.json")
