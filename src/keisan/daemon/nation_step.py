"""The steps of `keisan demo nation`, one after the other: databases, platforms, credit, and what is shown."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from keisan.daemon.database_template import copy_template, ensure_template
from keisan.daemon.nation import Nation, NationPlatform, NationStep
from keisan.daemon.nation_check import NationCheck
from keisan.daemon.nation_credit import lease_credit
from keisan.daemon.nation_join import join_province
from keisan.daemon.nation_sabotage import Sabotage, Saboteur
from keisan.daemon.nation_seed import seed_platform
from keisan.daemon.nation_separation import Holdings, list_shared, read_holdings
from keisan.daemon.nation_silence import SilenceWatch
from keisan.daemon.nation_traffic import Traffic
from keisan.daemon.nation_view import print_nation
from keisan.daemon.platform_tree import PlatformTree, note_shown
from keisan.domain.errors import Failed

Beside = Callable[[Nation, NationPlatform], Awaitable[None]]
LOOK_S = 1.0
# Two cores do no more of them any sooner.
AT_ONCE = 3


def list_steps(last: NationStep, beside: Beside | None = None) -> tuple[NationStep, ...]:
    """Return the steps on the way up, and what is done with the nation once it is up.

    `beside` is called with each province that has joined, while others are still on their way.
    """
    return (
        NationStep("migrating one database and copying it", make_databases),
        NationStep("bringing platforms up and joining them", partial(bring_up, beside=beside)),
        NationStep("leasing credit to provinces", lease_credit),
        last,
    )


def list_watch_steps(*, is_json: bool) -> tuple[NationStep, ...]:
    """Return the steps of a nation that one watches."""
    return list_steps(NationStep("asking models", partial(show_and_ask, is_json=is_json)))


def list_check_steps(sabotage: Sabotage | None) -> tuple[NationStep, ...]:
    """Return the steps of a nation that is checked from outside and ended."""
    silence = SilenceWatch(Saboteur(sabotage))

    async def check(nation: Nation) -> None:
        await NationCheck(nation, sabotage, silence).run()

    return list_steps(NationStep("checking from outside", check), silence.watch)


async def make_databases(nation: Nation) -> None:
    """Give each platform that has no database a copy of one that was migrated once."""
    template = await ensure_template(nation.root / "template", nation.clock)
    for platform in nation.platforms:
        await asyncio.to_thread(copy_template, template, platform.folder.platform)


async def bring_up(nation: Nation, *, beside: Beside | None = None) -> None:
    """Start all, some at a time, and return when each would answer a call, is joined, and has its organizations."""
    arrivals, turns, is_founded = Arrivals(nation), asyncio.Semaphore(AT_ONCE), asyncio.Event()

    async def found() -> None:
        async with turns:
            await arrivals.start(nation.national)
        await arrivals.settle(nation.national)
        is_founded.set()

    async def bring(province: NationPlatform) -> None:
        async with turns:
            await arrivals.start(province)
        # Joining is mostly waiting: meanwhile the next one starts.
        await is_founded.wait()
        await arrivals.settle(province)
        if beside is not None:
            await beside(nation, province)

    async with asyncio.TaskGroup() as group:
        group.create_task(found())
        for province in nation.platforms[1:]:
            group.create_task(bring(province))


@dataclass(slots=True)
class Arrivals:
    """Platforms as they come up: each is held against those before it, then let in, then given its organizations."""

    nation: Nation
    compared: list[NationPlatform] = field(default_factory=list)
    settled_count: int = 0

    async def start(self, platform: NationPlatform) -> None:
        """Start a platform and return when it would answer a call; raises KeisanError for what keeps it from that."""
        brought = await PlatformTree(self.nation.plan_tree(platform), platform.supervisor).bring_up()
        platform.brought = brought
        note_shown(platform.folder, brought)
        self._tell(f"{platform.plan.name} is up")

    async def settle(self, platform: NationPlatform) -> None:
        """Let a platform in that shares nothing with those before it; raises Failed, naming the first thing, if it does."""
        self.compared.append(platform)
        if shared := await self._find_shared():
            raise Failed(f"platforms that are to share nothing do: {shared[0]}", "\n".join(shared))
        if platform is not self.nation.national:
            await join_province(self.nation, platform)
        await seed_platform(platform)
        self.settled_count += 1
        self._tell(
            f"{platform.plan.name} is ready" if platform is self.nation.national else f"{platform.plan.name} has joined"
        )

    async def _find_shared(self) -> list[str]:
        """Return what platforms share at two looks: a file that one has deleted may be another's by the next instant."""
        looks = [list_shared([await self._read(platform) for platform in self.compared]) for _ in range(2)]
        return [each for each in looks[0] if each in looks[1]]

    async def _read(self, platform: NationPlatform) -> Holdings:
        return await asyncio.to_thread(read_holdings, platform.plan.code, platform.folder, platform.read_operator())

    def _tell(self, what: str) -> None:
        up = [each.plan.name for each in self.nation.platforms if each.brought]
        count = len(self.nation.platforms)
        self.nation.progress.tell(f"{len(up)} of {count} platforms are up, {self.settled_count} joined: {what}")


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
