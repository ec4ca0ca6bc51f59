"""A nation and two provinces whose databases are killed while calls go on: no call fails, no platform ends, and nothing is lost.

Engines and agents of sites are played by this process; platforms, gateways, networks, PostgreSQL and its death are real.
KEISAN_TEST_SEED repeats what chance chose.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deadline import let_time_pass_async
from tests.e2e.federation.land_books import Tell, check_books, check_invariants
from tests.e2e.federation.network import find_obstacle
from tests.e2e.federation.open_load import Load, count_codes, find_percentile_s
from tests.e2e.federation.served_land import SERVED, ServedLand, run_served_land
from tests.postgresql import PostgresqlServer, run_server

OBSTACLE = find_obstacle()
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.postgresql,
    pytest.mark.skipif(bool(OBSTACLE), reason=OBSTACLE),
    pytest.mark.timeout(600),
]
DATABASE = "books"
# With fsync: what is lost here is lost in earnest.
SERVER_OPTIONS = ("listen_addresses=", "max_connections=60")
CALLS_PER_S = 30.0
ROUNDS = 12
# Between two rounds, and between a kill and the next start: some calls are made with a database, and some without.
BETWEEN_S_MAX, GONE_S_MAX = 3.0, 2.0

Servers = Mapping[str, PostgresqlServer]


@pytest.fixture
def servers(postgresql_programs: Path) -> Iterator[Servers]:
    """A server for each platform, by its name."""
    with ExitStack() as exits:
        started = {name: exits.enter_context(run_server(postgresql_programs, SERVER_OPTIONS)) for name in SERVED}
        for server in started.values():
            server.create_database(DATABASE)
        yield started


async def test_databases_are_killed_while_calls_go_on(servers: Servers, record_property: Tell) -> None:
    seed = int(os.environ.get("KEISAN_TEST_SEED", str(random.randrange(2**32))))
    urls = {name: server.format_url(DATABASE) for name, server in servers.items()}
    async with run_served_land(urls) as land:
        load = Load(land.list_streams(CALLS_PER_S))
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            kills = await kill_databases(land, servers, random.Random(seed))
            load.stop()
        record_property("kills", f"seed {seed}: {dict(kills)}")
        tell_calls(load, record_property)
        assert count_codes(load.outcomes) == {}
        await check_books(load, land, record_property)
        for member in land.all:
            member.province.check()
            await check_invariants(member, record_property)


async def kill_databases(land: ServedLand, servers: Servers, source: random.Random) -> Counter[str]:
    """Kill one server or several, and start them again, round after round; return how often each was."""
    kills: Counter[str] = Counter()
    for _ in range(ROUNDS):
        await let_time_pass_async(source.uniform(0, BETWEEN_S_MAX))
        chosen = source.sample(sorted(servers), source.choice([1, 1, 2, 3]))
        for name in chosen:
            servers[name].kill()
        await let_time_pass_async(source.uniform(0, GONE_S_MAX))
        await asyncio.gather(*(servers[name].start_beside() for name in chosen))
        for member in land.all:
            member.province.check()
        kills.update(chosen)
    return kills


def tell_calls(load: Load, tell: Tell) -> None:
    """Show how many calls were answered, and how soon."""
    for stream in load.streams:
        found = load.list_outcomes(stream.name)
        times = " ".join(f"p{percent} {find_percentile_s(found, percent) * 1000:.0f} ms" for percent in (50, 99))
        tell(stream.name, f"{sum(each.is_answered for each in found)} of {len(found)} answered, {times}")
