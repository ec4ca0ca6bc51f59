"""Whether a site that says nothing is unknown: its agent is stopped for a while, and its devices must stay, none of them known."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from keisan.daemon.nation import Nation, NationPlatform
from keisan.daemon.nation_sabotage import Saboteur
from keisan.domain.errors import Failed
from keisan.domain.roll_up import CountName, Level
from keisan.wire.telemetry import RollUpList

# Three periods of ten seconds without a frame make a device unknown; a host that is busy is given as much again.
SILENCE_S_MAX = 60.0
HEARD_S_MAX = 40.0
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Counts:
    """How many devices are well, how many unknown, and how many there are."""

    ok: int
    unknown: int
    devices: int


@dataclass(slots=True)
class SilenceWatch:
    """The check of one province's silence, taken while others are still on their way up: it is mostly waiting.

    `found` tells whether it held, and what was seen; None until it was taken.
    """

    saboteur: Saboteur
    found: tuple[bool, str] | None = None

    async def watch(self, nation: Nation, platform: NationPlatform) -> None:
        """Take the check if a platform that is up and joined is the one to fall silent."""
        if platform is choose_silent(nation):
            self.found = await check_silence(nation, platform, self.saboteur)


def choose_silent(nation: Nation) -> NationPlatform:
    """Return the first province without a model, so that nobody's call waits for it; else the last one."""
    provinces = nation.platforms[1:]
    return next((province for province in provinces if not province.plan.has_model), provinces[-1])


async def check_silence(nation: Nation, platform: NationPlatform, saboteur: Saboteur) -> tuple[bool, str]:
    """Tell whether it held, and what was seen, from the platform's public API."""
    code = platform.plan.code
    before = await wait_for_counts(nation, platform, lambda counts: counts.ok > 0, HEARD_S_MAX)
    if before is None:
        return False, f"{code} tells of no device"
    with stop_agent(platform):
        await saboteur.bend_silence(platform)
        silent = await wait_for_counts(nation, platform, lambda counts: counts.ok == 0, SILENCE_S_MAX)
    if silent is None:
        return False, f"devices of {code} are told to be well though its agent says nothing"
    said = f"while the agent of {code} was silent, of {before.devices} devices {silent.devices} were told, {silent.unknown} unknown"
    return silent.unknown == silent.devices == before.devices, said


async def wait_for_counts(
    nation: Nation, platform: NationPlatform, is_awaited: Callable[[Counts], bool], wait_s: float
) -> Counts | None:
    """Return the first counts that are awaited, None if none come in time."""
    end_s = nation.clock.monotonic_s() + wait_s
    async with platform.open_as_operator() as keisan:
        while nation.clock.monotonic_s() < end_s:
            counts = add_up(await keisan.telemetry.list_rollups(Level.REGION))
            if is_awaited(counts):
                return counts
            await nation.clock.sleep(LOOK_S)
    return None


@contextmanager
def stop_agent(platform: NationPlatform) -> Iterator[None]:
    """Stop a site's agent for as long as the block runs; engines go on. Raises Failed if none runs."""
    child = platform.supervisor.children["site"]
    if child.process_id is None:
        raise Failed(f"the site of {platform.plan.code} does not run")
    os.kill(child.process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.process_id, signal.SIGCONT)


def add_up(found: RollUpList) -> Counts:
    """Return the counts of all regions together."""
    names = (CountName.OK, CountName.UNKNOWN, CountName.DEVICES)
    return Counts(*(sum(item.counts[name] for item in found.items) for name in names))
