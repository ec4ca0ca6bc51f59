"""Calls that cross platforms: gateways pass them on by what they know, which is old, or wrong. The decision is the relay's own.

Whom a call is for serves it, or nobody does; and it comes to no platform twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import msgspec

from keisan._native import decide_forward
from keisan.control.link_place import load_neighbourhood
from keisan.control.snapshot_platforms import _list_known
from tests.simulation.federation.counter import State
from tests.simulation.federation.task import run_at_once

if TYPE_CHECKING:
    from keisan.domain.ids import PlatformId
    from keisan.storage.base import Transaction
    from tests.simulation.federation.platform import SimulatedPlatform
    from tests.simulation.federation.world import World

CALLS, HOPS_MAX = 14, 16
# A gateway's table is often one of before; now and then it is wrong.
OLD_CHANCE, WRONG_CHANCE = 0.4, 0.1
LOOPED = "call_looped"

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Ways:
    """What a gateway knows: by which neighbour each platform is reached, and what each neighbour is in the tree."""

    neighbours: dict[PlatformId, PlatformId]
    sides: dict[PlatformId, str]


@dataclass(frozen=True, slots=True)
class Call:
    """A call under way; `path` are the platforms that it has come to, its home first."""

    home: SimulatedPlatform
    audience: SimulatedPlatform
    path: tuple[int, ...]
    hops_left: int


class Forwarding:
    """The calls of one schedule, and the tables of all gateways."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.problems: list[str] = []
        self._tables: dict[int, Ways] = {}

    def open(self, end_ms: int) -> None:
        """Plan some calls."""
        chance, kernel = self.world.kernel.random, self.world.kernel
        for _ in range(CALLS):
            home, audience = chance.sample(self.world.platforms, 2)
            kernel.call_in(chance.randint(500, end_ms), lambda pair=(home, audience): self.begin(*pair))  # type: ignore[misc]  # bound now

    def begin(self, home: SimulatedPlatform, audience: SimulatedPlatform) -> None:
        """Have a customer of one platform call what another serves."""
        way = self._find_ways(home).neighbours.get(audience.id)
        if way is not None:
            self._send(Call(home, audience, (home.number,), HOPS_MAX), way)

    def _send(self, call: Call, neighbour_id: PlatformId) -> None:
        """Have a call come to a neighbour, unless it cannot be reached: then it is refused at once."""
        network, sender, receiver = self.world.network, call.path[-1], self.world.numbers[neighbour_id]
        if network.can_reach(sender, receiver):
            self.world.kernel.call_in(network.draw_latency_ms(), lambda: self._arrive(call, receiver))

    def _arrive(self, call: Call, number: int) -> None:
        if number in call.path:
            self.problems.append(
                f"a call of {call.path[0]} to {call.audience.number} comes to {number} twice: {call.path}"
            )
            return
        decided, detail = decide_forward(_encode(self._ask(call, number)).decode())
        states = self.world.tally.states
        if decided == "serve":
            self.world.tally.work["calls served"] += 1
            if number != call.audience.number:
                self.problems.append(f"a call of {call.path[0]} to {call.audience.number} is served by {number}")
        elif decided == "pass":
            states[State.CALL_PASSED_ON] += 1
            passed = replace(call, path=(*call.path, number), hops_left=call.hops_left - 1)
            self._send(passed, cast("PlatformId", detail))
        else:
            states[State.CALL_LOOPED] += detail == LOOPED
            self.world.tally.work["calls refused"] += 1

    def _ask(self, call: Call, number: int) -> dict[str, object]:
        """Return what the relay decides on: what the call says, who brings it, and what is known here."""
        here = self.world.platforms[number]
        ways, peer_id = self._find_ways(here), self.world.platforms[call.path[-1]].id
        return {
            "call": {"home_id": call.home.id, "audience_id": call.audience.id, "hops_left": call.hops_left},
            "peer": {"platform_id": peer_id, "side": ways.sides.get(peer_id)},
            "here": {
                "platform_id": here.id,
                "way_home": self._describe(here, ways, call.home.id),
                "way_on": self._describe(here, ways, call.audience.id),
            },
        }

    def _describe(self, here: SimulatedPlatform, ways: Ways, platform_id: PlatformId) -> dict[str, str] | None:
        """Return a way as it is asked about: now and then a wrong one. Unknown is what no connection leads to."""
        neighbour_id = ways.neighbours.get(platform_id)
        chance = self.world.kernel.random
        if ways.sides and chance.random() < WRONG_CHANCE:
            neighbour_id = chance.choice(sorted(ways.sides))
        if neighbour_id is None:
            return None
        is_open = any(each.is_met and each.link.neighbour_id == neighbour_id for each in here.sessions)
        verdict = "ok" if is_open else "unknown"
        return {"neighbour_id": neighbour_id, "side": ways.sides[neighbour_id], "verdict": verdict}

    def _find_ways(self, platform: SimulatedPlatform) -> Ways:
        """Return the table of a platform's gateway, which may be one of before."""
        known = self._tables.get(platform.number)
        if known is None or self.world.kernel.random.random() >= OLD_CHANCE:
            known = self._tables[platform.number] = run_at_once(self._load_ways(platform))
        return known

    async def _load_ways(self, platform: SimulatedPlatform) -> Ways:
        """Return what the snapshot of a platform's gateways says, as it is compiled from its disk."""
        view = cast("Transaction", platform.disk.view())
        around = await load_neighbourhood(view)
        book = await self.world.books.load(view, platform.control)
        known = await _list_known(view, book, around)
        neighbours = {platform_id: each.link.neighbour_id for platform_id, each in known.items()}
        return Ways(neighbours, {link.neighbour_id: link.side.value for link in around.links})
