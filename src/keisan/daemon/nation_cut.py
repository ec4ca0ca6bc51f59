"""`keisan demo nation --cut CN-SX 60s`: one province is cut off while one watches, healed, and asked whether nothing was lost."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final, TypeVar

from keisan.cli.exit_code import ExitCode
from keisan.daemon.duration import read_duration_s
from keisan.daemon.nation import Nation, NationPlatform, NationStep
from keisan.daemon.nation_cable import Cable
from keisan.daemon.nation_plan import PlatformPlan
from keisan.daemon.nation_traffic import Traffic, describe_outcomes
from keisan.daemon.nation_view import print_nation
from keisan.daemon.settings_address import Address, parse_address
from keisan.domain.errors import Failed, InvalidInput, KeisanError
from keisan.domain.federation_check import CheckState, Invariant
from keisan.sdk import AsyncKeisan

# How long one sees what is usual, before the cut.
BEFORE_S: Final = 10.0
CALL_PERIOD_S: Final = 1.0
CONVERGED_S_MAX: Final = 60.0
# A check asks every neighbour, and looks again and again at what is under way.
CHECK_S_MAX: Final = 60.0
LOOK_S: Final = 1.0
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class CutPlan:
    """Which province is cut off, and for how long."""

    code: str
    duration_s: float

    def add_cable(self, plans: Sequence[PlatformPlan]) -> tuple[PlatformPlan, ...]:
        """Return the plans with the province on a cable of its own, from its start on."""
        return tuple(replace(plan, is_cabled=plan.code == self.code) for plan in plans)


def read_cut(words: Sequence[str], plans: Sequence[PlatformPlan]) -> CutPlan:
    """Return the cut that words like CN-SX 60s name; raises InvalidInput for a province that is not started, or no duration."""
    code, duration = words
    codes = [plan.code for plan in plans[1:]]
    if code not in codes:
        raise InvalidInput(f"expected one of {', '.join(codes)}, got {code!r}", "cut")
    return CutPlan(code, read_duration_s(duration, "cut"))


@dataclass(frozen=True, slots=True)
class Phase:
    """Calls that ended in one part of the run, inside the province and of the nation, by what became of them."""

    name: str
    taken_s: float
    inside: Mapping[str, int]
    nation: Mapping[str, int]


@dataclass(slots=True)
class NationCut:
    """The cut of one run of a nation: the cable is laid before its platforms start, and cut once they are up."""

    plan: CutPlan
    is_json: bool = False
    cable: Cable | None = None

    def add_steps(self, steps: Sequence[NationStep]) -> tuple[NationStep, ...]:
        """Return the steps with the cable laid before them, and the cut in place of the last."""
        first = NationStep(f"laying a cable between {self.plan.code} and the nation", self.lay)
        return (first, *steps[:-1], NationStep(f"asking models, and cutting {self.plan.code} off", self.run))

    async def lay(self, nation: Nation) -> None:
        """Lay the cable, which is taken up when all has ended; raises Failed if an address is not free."""
        self.cable = Cable(list_lines(nation.national, self._find_province(nation)))
        nation.exits.push_async_callback(self.cable.take_up)
        await self.cable.lay()

    async def run(self, nation: Nation) -> None:
        """Print where to look, cut and heal while organizations ask, tell what came of it, and let them ask on until cancelled.

        Raises Failed where no cable was laid.
        """
        if self.cable is None:
            raise Failed("no cable was laid")
        nation.progress.finish()
        print_nation(nation, is_json=self.is_json)
        province = self._find_province(nation)
        watch = CutWatch(nation, Traffic(nation.clock, CALL_PERIOD_S), Traffic(nation.clock, CALL_PERIOD_S))
        others = Traffic(nation.clock)
        async with asyncio.TaskGroup() as group:
            group.create_task(watch.of_nation.ask(nation.national))
            for platform in nation.platforms[1:]:
                if platform.plan.has_model:
                    group.create_task((watch.inside if platform is province else others).ask(platform))
            await self._cut_and_heal(watch, self.cable)
            await self._converge(watch, province, self.cable.how)
            await watch.go_on(asyncio.Event().wait())

    async def _cut_and_heal(self, watch: "CutWatch", cable: Cable) -> None:
        clock, code = watch.nation.clock, self.plan.code
        await watch.play("before", clock.sleep(BEFORE_S))
        try:
            await cable.cut()
            watch.say(f"{code} is cut off for {self.plan.duration_s:g} s: {cable.how}")
            await watch.play("cut", clock.sleep(self.plan.duration_s))
        finally:
            await cable.heal()
        watch.say(f"{code} is healed")

    async def _converge(self, watch: "CutWatch", province: NationPlatform, how: str) -> None:
        """Wait until both sides of the cut find that all is held, and tell it; if not in time, the run ends as failed."""
        broken = await watch.play("healed", wait_until_held(watch.nation, province))
        taken_s = watch.phases[-1].taken_s
        if broken:
            watch.nation.outcome = ExitCode.FAILED
            watch.say(f"not converged {taken_s:.0f} s after healing: {'; '.join(broken)}")
        else:
            watch.say(f"converged {taken_s:.1f} s after healing; held by both sides: {', '.join(Invariant)}")
        if self.is_json:
            phases = [asdict(each) for each in watch.phases]
            told = {"cut": self.plan.code, "how": how, "phases": phases, "converged_s": taken_s, "broken": broken}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()

    def _find_province(self, nation: Nation) -> NationPlatform:
        return next(platform for platform in nation.platforms if platform.plan.code == self.plan.code)


@dataclass(slots=True)
class CutWatch:
    """What one sees: lines that stay, and between them counts of calls that change."""

    nation: Nation
    inside: Traffic
    of_nation: Traffic
    phases: list[Phase] = field(default_factory=list)

    async def play(self, name: str, work: Awaitable[Done]) -> Done:
        """Return what `work` does, and tell what became of the calls meanwhile."""
        clock, before = self.nation.clock, self._count()
        begun_s = clock.monotonic_s()
        done = await self.go_on(work)
        inside, of_nation = (now - then for now, then in zip(self._count(), before, strict=True))
        phase = Phase(name, round(clock.monotonic_s() - begun_s, 1), dict(inside), dict(of_nation))
        self.phases.append(phase)
        counts = f"inside {describe_outcomes(phase.inside)}; of the nation {describe_outcomes(phase.nation)}"
        self.say(f"{name}, {phase.taken_s:g} s: {counts}")
        return done

    async def go_on(self, work: Awaitable[Done]) -> Done:
        """Return what `work` does, with counts shown where somebody sees one line change."""
        async with asyncio.TaskGroup() as group:
            showing = group.create_task(self._show())
            done = await work
            showing.cancel()
        return done

    def say(self, text: str) -> None:
        """Leave a line behind."""
        self.nation.progress.finish(f"keisan: {text}")

    def _count(self) -> tuple[Counter[str], Counter[str]]:
        return Counter(self.inside.outcomes), Counter(self.of_nation.outcomes)

    async def _show(self) -> None:
        while self.nation.progress.is_terminal:
            counts = f"inside {self.inside.describe()}; of the nation {self.of_nation.describe()}"
            self.nation.progress.tell(f"{counts} (Ctrl-C ends all)")
            await self.nation.clock.sleep(LOOK_S)


def list_lines(national: NationPlatform, province: NationPlatform) -> list[tuple[Address, Address]]:
    """Return where the province dials, and where the nation takes that: the platforms' link, and the gateways'.

    Raises Failed for a province whose settings name no cable.
    """
    link, federation = province.settings.platform.link, province.settings.gateway.federation
    taken, gateways = national.settings.platform.link, national.settings.gateway.federation
    if link.parent_url is None or federation is None or taken.listen is None:
        raise Failed(f"the settings of {province.plan.code} name no cable")
    lines = [(parse_address(link.parent_url.removeprefix("wss://")), taken.listen)]
    if gateways is not None and gateways.listen is not None:
        lines.append((federation.parents[0], gateways.listen))
    return lines


async def wait_until_held(nation: Nation, province: NationPlatform) -> list[str]:
    """Return once both sides of the cut find that all is held; what is not, if it takes too long."""
    end_s = nation.clock.monotonic_s() + CONVERGED_S_MAX
    while True:
        broken = [text for platform in (nation.national, province) for text in await list_broken(platform)]
        if not broken or nation.clock.monotonic_s() > end_s:
            return broken
        await nation.clock.sleep(LOOK_S)


async def list_broken(platform: NationPlatform) -> list[str]:
    """Return in words what a platform does not find held, or that it does not answer."""
    kept = platform.read_operator()
    try:
        async with AsyncKeisan(str(kept.platform_url), kept.api_key, timeout_s=CHECK_S_MAX) as keisan:
            findings = (await keisan.links.check()).findings
    except KeisanError as fault:
        return [f"{platform.plan.code} does not tell: {fault}"]
    return [
        f"{each.invariant} at {platform.plan.code} {f'with {each.neighbour} ' if each.neighbour else ''}is {each.state}: {each.text}"
        for each in findings
        if each.state is not CheckState.HELD
    ]
