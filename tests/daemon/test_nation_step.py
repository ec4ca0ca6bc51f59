"""Steps of a nation: copies of one database, and platforms that share something are not let through."""

import os
from pathlib import Path

import pytest

from keisan.daemon.nation import Nation, NationStep, run_nation
from keisan.daemon.nation_step import check_separation, list_steps, make_databases, watch_step
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


async def test_databases_are_copies_and_share_nothing(tmp_path: Path) -> None:
    steps = (NationStep(work.__name__, work) for work in (make_databases, prepare, check_separation, stop))
    await run_nation(build_request(tmp_path, *steps))
    copies = [tmp_path / code / "platform" / "keisan.db" for code in ("CN", "CN-SX", "CN-LN")]
    assert len({path.read_bytes() for path in copies}) == 1
    assert len({path.stat().st_ino for path in copies}) == 3


async def test_shared_file_keeps_the_nation_from_going_on(tmp_path: Path) -> None:
    steps = (NationStep(work.__name__, work) for work in (make_databases, prepare, link_database, check_separation))
    with pytest.raises(Failed, match="CN and CN-SX share a file"):
        await run_nation(build_request(tmp_path, *steps))


def test_separation_is_compared_before_anybody_is_let_in() -> None:
    works = [step.work for step in list_steps(watch_step(is_json=False))]
    assert works.index(check_separation) == 2
