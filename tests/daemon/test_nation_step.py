"""Steps of a nation: copies of one database, and platforms that share something are not let through."""

import os
from pathlib import Path

import pytest

from keisan.daemon import nation_step
from keisan.daemon.nation import Nation, NationPlatform, NationStep, run_nation
from keisan.daemon.nation_step import Arrivals, make_databases
from keisan.domain.errors import Failed
from tests.daemon.nation_stage import build_request, give_identities, list_addresses


async def stop(nation: Nation) -> None:
    nation.national.supervisor.stopping.set()


async def prepare(nation: Nation) -> None:
    give_identities(nation, list_addresses(3))


async def link_database(nation: Nation) -> None:
    one, other = (nation.platforms[place].folder.platform / "keisan.db" for place in (0, 1))
    other.unlink()
    os.link(one, other)


async def let_in(nation: Nation) -> None:
    arrivals = Arrivals(nation)
    for platform in nation.platforms:
        await arrivals.settle(platform)


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let platforms in that do not run, and note which ones."""
    seen: list[str] = []

    async def join(_: Nation, province: NationPlatform) -> None:
        seen.append(province.plan.code)

    async def seed(platform: NationPlatform) -> None:
        platform.keys = {"one": "sk-keisan-1"}

    monkeypatch.setattr(nation_step, "join_province", join)
    monkeypatch.setattr(nation_step, "seed_platform", seed)
    return seen


async def test_databases_are_copies_and_share_nothing(tmp_path: Path, joined: list[str]) -> None:
    steps = (NationStep(work.__name__, work) for work in (make_databases, prepare, let_in, stop))
    await run_nation(build_request(tmp_path, *steps))
    copies = [tmp_path / code / "platform" / "keisan.db" for code in ("CN", "CN-SX", "CN-LN")]
    assert len({path.read_bytes() for path in copies}) == 1
    assert len({path.stat().st_ino for path in copies}) == 3
    assert joined == ["CN-SX", "CN-LN"]


async def test_platform_that_shares_a_file_is_not_let_in(tmp_path: Path, joined: list[str]) -> None:
    steps = (NationStep(work.__name__, work) for work in (make_databases, prepare, link_database, let_in))
    with pytest.raises(Failed, match="CN and CN-SX share a file"):
        await run_nation(build_request(tmp_path, *steps))
    assert joined == []
