"""A platform whose one deployment is challenged through a small gateway, by the platform's own lease loop and its own clock."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keisan.control.context import Control
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers.serving_challenge import ServingChallengeReconciler
from keisan.control.serving_challenge import start_serving_challenge
from keisan.domain.access import MachineKind, PlatformScope, Principal, Role
from keisan.domain.challenge_rule import ChallengeTerms
from keisan.domain.key import Key
from keisan.domain.lease import WorkNoun
from keisan.domain.replica import ReplicaState
from keisan.domain.serving_challenge import ServingChallenge, ServingState
from keisan.domain.verdict import Verdict
from keisan.kit.clock import SystemClock
from keisan.storage.database import Database
from keisan.wire.serving_challenge import ServingChallengeStart
from tests.control.people import add_key
from tests.control.small_gateway import SmallGateway, run_small_gateway
from tests.factories import World

EVERYTHING = PlatformScope()
JUDGED_S_MAX = 60.0


class ShiftedClock(SystemClock):
    """The machine's clock, which a test can put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class ServingWorld:
    """`gateway` answers the calls; `loop` runs the steps."""

    control: Control
    clock: ShiftedClock
    world: World
    admin: Principal
    gateway: SmallGateway
    loop: LeaseLoop

    async def start(self, **changes: object) -> ServingChallenge:
        values: dict[str, object] = {
            "deployment_id": self.world.left.deployment.id,
            "project_id": self.world.left.project.id,
            "step_s": 1,
            "first_token_ms": 9000,
            "concurrency_max": 1,
        }
        body = ServingChallengeStart.model_validate(values | changes)
        return await start_serving_challenge(self.control, self.admin, body)

    async def get(self, started: ServingChallenge) -> ServingChallenge:
        async with self.control.storage.read() as view:
            return await view.serving_challenges.get(EVERYTHING, started.id)

    async def get_key(self, challenge: ServingChallenge) -> Key:
        assert challenge.key_id is not None
        async with self.control.storage.read() as view:
            return await view.keys.get(EVERYTHING, challenge.key_id)

    async def acknowledge(self) -> None:
        """Let the gateway know the newest snapshot."""
        async with self.control.storage.write() as transaction:
            version = (await transaction.snapshot.get_mark()).version
            [gateway] = await transaction.machines.list_kind(EVERYTHING, MachineKind.GATEWAY)
            await transaction.machines.acknowledge(gateway.id, version, self.clock.now())

    async def run_until(
        self, started: ServingChallenge, is_met: Callable[[ServingChallenge], bool]
    ) -> ServingChallenge:
        """Run rounds of the loop until the challenge is so."""
        async with asyncio.timeout(JUDGED_S_MAX):
            while not is_met(found := await self.get(started)):
                await self.loop.run_round()
                await self.acknowledge()
        return found

    async def run(self, **changes: object) -> ServingChallenge:
        """Start one and return it as judged."""
        started = await self.start(**changes)
        return await self.run_until(started, lambda found: found.state is ServingState.JUDGED)

    def restart(self) -> None:
        """Forget what only the process knew."""
        self.loop = build_loop(self.control)


def build_loop(control: Control) -> LeaseLoop:
    return LeaseLoop(control, {WorkNoun.SERVING_CHALLENGE: ServingChallengeReconciler(control)}, leases_max=1)


@asynccontextmanager
async def open_serving_world(control: Control, storage: Database, world: World) -> AsyncIterator[ServingWorld]:
    """Open a world whose left replica is ready, with a gateway that is connected."""
    clock = ShiftedClock()
    async with run_small_gateway(storage, world) as gateway:
        # All of it is one busy process: a wait that its gateway knows nothing of is no lie.
        terms = ChallengeTerms(told_slack_s=60.0)
        own = replace(control, clock=clock, find_gateway=lambda: gateway.target, challenge_terms=terms)
        async with storage.write() as transaction:
            replica = world.left.replica
            ready = replace(replica, state=ReplicaState.READY, verdict=Verdict.OK, version=replica.version + 1)
            await transaction.replicas.update(ready)
        admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
        stage = ServingWorld(own, clock, world, admin, gateway, build_loop(own))
        await stage.acknowledge()
        yield stage
