"""The steps of `keisan demo nation`, one after the other: databases, platforms, what they share, who joins, who may call, what is shown."""

import asyncio
from functools import partial

from keisan.daemon.database_template import copy_template, ensure_template
from keisan.daemon.nation import Nation, NationPlatform, NationStep, take_turns
from keisan.daemon.nation_check import NationCheck
from keisan.daemon.nation_join import join_province
from keisan.daemon.nation_sabotage import Sabotage
from keisan.daemon.nation_seed import seed_platform
from keisan.daemon.nation_separation import list_shared, read_holdings
from keisan.daemon.nation_traffic import Traffic
from keisan.daemon.nation_view import print_nation
from keisan.daemon.platform_tree import PlatformTree, note_shown
from keisan.domain.errors import Failed

LOOK_S = 1.0


def list_steps(last: NationStep) -> tuple[NationStep, ...]:
    """Return the steps on the way up, and what is done with the nation once it is up."""
    return (
        NationStep("migrating one database and copying it", make_databases),
        NationStep("starting platforms", start_platforms),
        NationStep("comparing what they have", check_separation),
        NationStep("joining provinces", join_provinces),
        NationStep("making organizations and keys", seed_platforms),
        last,
    )


def watch_step(*, is_json: bool) -> NationStep:
    """Return the last step of a nation that one watches."""
    return NationStep("asking models", partial(show_and_ask, is_json=is_json))


def check_step(sabotage: Sabotage | None) -> NationStep:
    """Return the last step of a nation that is checked from outside and ended."""

    async def check(nation: Nation) -> None:
        await NationCheck(nation, sabotage).run()

    return NationStep("checking from outside", check)


async def make_databases(nation: Nation) -> None:
    """Give each platform that has no database a copy of one that was migrated once."""
    template = await ensure_template(nation.root / "template", nation.clock)
    for platform in nation.platforms:
        await asyncio.to_thread(copy_template, template, platform.folder.platform)


async def start_platforms(nation: Nation) -> None:
    """Start all, some at a time, and return when each would answer a call."""

    async def start(platform: NationPlatform) -> None:
        brought = await PlatformTree(nation.plan_tree(platform), platform.supervisor).bring_up()
        platform.brought = brought
        note_shown(platform.folder, brought)
        up = [each.plan.name for each in nation.platforms if each.brought]
        nation.progress.tell(f"{len(up)} of {len(nation.platforms)} platforms are up, the last {platform.plan.name}")

    # The first start of all compiles what the others then read.
    await start(nation.national)
    await take_turns(start, nation.platforms[1:])


async def check_separation(nation: Nation) -> None:
    """Raise Failed, naming the first thing, if two platforms share anything."""
    holdings = [
        await asyncio.to_thread(read_holdings, platform.plan.code, platform.folder, platform.read_operator())
        for platform in nation.platforms
    ]
    if shared := list_shared(holdings):
        raise Failed(f"platforms that are to share nothing do: {shared[0]}", "\n".join(shared))


async def join_provinces(nation: Nation) -> None:
    """Have all provinces join the national platform."""
    await take_turns(partial(join_province, nation), nation.platforms[1:])


async def seed_platforms(nation: Nation) -> None:
    """Make the organizations of each platform and a key of each."""
    await take_turns(seed_platform, nation.platforms)


async def show_and_ask(nation: Nation, *, is_json: bool) -> None:
    """Print where to look, and have organizations ask where a model answers, until cancelled."""
    nation.progress.finish()
    print_nation(nation, is_json=is_json)
    traffic = Traffic(nation.clock)
    async with asyncio.TaskGroup() as group:
        for platform in nation.platforms:
            if platform.plan.has_model:
                group.create_task(traffic.ask(platform))
        while nation.progress.is_terminal:
            nation.progress.tell(f"{traffic.describe()} (Ctrl-C ends all)")
            await nation.clock.sleep(LOOK_S)
