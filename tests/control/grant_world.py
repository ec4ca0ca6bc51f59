"""A parent and a child, each on a database of its own, whose registers are carried by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from keisan.control.context import Control
from keisan.control.fence import begin_life
from keisan.control.grant import apply_grant_want
from keisan.control.grant_want import apply_grant, ask_grant, set_grant_work
from keisan.control.lease import LeaseLoop, Reconcilers
from keisan.control.reconcilers.deployment import DeploymentReconciler
from keisan.control.reconcilers.grant import GrantReconciler, GrantWantReconciler
from keisan.domain.access import PlatformScope, Principal, Role
from keisan.domain.grant import Grant, GrantTerms, GrantWant, OnExpiry
from keisan.domain.ids import DeviceId, GrantWantId, LinkId, PlatformId
from keisan.domain.lease import WorkNoun
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.link import LinkSide, LinkState
from keisan.domain.page import PageRequest
from keisan.domain.replica import Replica
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.wire.grant import GrantAsk, WorkUpdate
from tests.factories import IDENTITY, SIGNER, FixedClock, World, create_device, create_link, plant_world
from tests.settlement import create_principal

EVERYTHING = PlatformScope()
HOUR = 3600
PARENT_ID = PlatformId("a" * 64)
CHIP = "cpu-granted"


@dataclass
class GrantWorld:
    """The clocks may be set apart; `admin` may do all on both."""

    parent: Control
    child: Control
    parent_clock: FixedClock
    child_clock: FixedClock
    parent_world: World
    child_world: World
    device_ids: tuple[DeviceId, ...]
    admin: Principal = field(default_factory=lambda: create_principal(Role.PLATFORM_ADMIN))
    link_id: LinkId = field(default_factory=lambda: LinkId(create_id()))

    async def list_letters(self, control: Control, kind: LetterKind) -> list[Letter]:
        async with control.storage.read() as view:
            return [
                each for each in await view.registers.list_kind(EVERYTHING, kind) if each.author == control.platform_id
            ]

    async def carry_down(self, letters: list[Letter] | None = None) -> None:
        """Bring the parent's wants to the child, or these letters."""
        for letter in letters or await self.list_letters(self.parent, LetterKind.GRANT_WANT):
            arrival = Arrival(self.link_id, self.parent.platform_id, self.child_clock.now())
            async with self.child.storage.write() as transaction:
                await apply_grant_want(transaction, self.child, arrival, letter)

    async def carry_up(self, letters: list[Letter] | None = None) -> None:
        """Bring the child's grants to the parent, or these letters."""
        for letter in letters or await self.list_letters(self.child, LetterKind.GRANT):
            arrival = Arrival(self.link_id, self.child.platform_id, self.parent_clock.now())
            async with self.parent.storage.write() as transaction:
                await apply_grant(transaction, self.parent, arrival, letter)

    async def carry(self, times: int = 2) -> None:
        for _ in range(times):
            await self.carry_down()
            await self.carry_up()

    async def reconcile(self) -> None:
        """Let both do what is due."""
        for control in (self.parent, self.child):
            reconcilers: Reconcilers = {
                WorkNoun.GRANT: GrantReconciler(control),
                WorkNoun.GRANT_WANT: GrantWantReconciler(control),
                WorkNoun.DEPLOYMENT: DeploymentReconciler(),
            }
            await LeaseLoop(control, reconcilers).run_round()

    async def pass_time(self, seconds: float) -> None:
        for clock in (self.parent_clock, self.child_clock):
            await clock.sleep(seconds)

    async def get_want(self, want_id: GrantWantId) -> GrantWant:
        async with self.parent.storage.read() as view:
            return await view.grant_wants.get(EVERYTHING, want_id)

    async def list_grants(self) -> tuple[Grant, ...]:
        async with self.child.storage.read() as view:
            return tuple((await view.grants.list(EVERYTHING, PageRequest())).items)

    async def get_terms(self) -> GrantTerms:
        async with self.child.storage.read() as view:
            terms = await view.grant_terms.find(EVERYTHING, self.child.platform_id)
        assert terms is not None
        return terms

    async def list_replicas(self) -> tuple[Replica, ...]:
        """Return what runs at the child under grants."""
        planted = (self.child_world.left.replica.id, self.child_world.right.replica.id)
        async with self.child.storage.read() as view:
            found = await view.replicas.list_by_ids(EVERYTHING, None)
        return tuple(each for each in found if each.id not in planted)


@asynccontextmanager
async def open_grant_world(
    parent: Database, child: Database, clocks: tuple[FixedClock, FixedClock]
) -> AsyncIterator[GrantWorld]:
    """Plant both; the child has joined, grants up to two devices at once, and has three free ones beside those planted."""
    parent_world, child_world = await plant_world(parent), await plant_world(child)
    left = child_world.left
    devices = [replace(create_device(left.node), chip=CHIP) for _ in range(3)]
    world = GrantWorld(
        Control(parent, clocks[0], PARENT_ID, signer=SIGNER, identity=IDENTITY),
        Control(child, clocks[1], child_world.platform.id, signer=SIGNER, identity=IDENTITY),
        *clocks,
        parent_world,
        child_world,
        tuple(device.id for device in devices),
    )
    async with parent.write() as transaction:
        # Both know one model, by the same weights.
        model = replace(parent_world.model, facts=child_world.model.facts, version=parent_world.model.version + 1)
        await transaction.models.update(model)
    async with child.write() as transaction:
        for device in devices:
            await transaction.devices.insert(device)
        joined = replace(
            create_link(SIGNER), id=world.link_id, platform_id=world.child.platform_id, neighbour_id=PARENT_ID
        )
        await transaction.links.insert(replace(joined, side=LinkSide.PARENT, state=LinkState.JOINED))
        terms = await begin_life(transaction, world.child, 0, "it joined")
        await transaction.grant_terms.update(replace(terms, automatic_count=2, version=terms.version + 1))
    yield world


async def ask(grants: GrantWorld, count: int = 1, on_expiry: OnExpiry = OnExpiry.HOLD) -> GrantWant:
    body = GrantAsk(child_id=grants.child.platform_id, chip=CHIP, count=count, duration_s=HOUR, on_expiry=on_expiry)
    return await ask_grant(grants.parent, grants.admin, body)


async def ask_and_run(grants: GrantWorld, replica_count: int = 2, on_expiry: OnExpiry = OnExpiry.HOLD) -> GrantWant:
    """Return a want of two devices that was granted, and under which the child runs replicas."""
    want = await ask(grants, 2, on_expiry)
    await grants.carry()
    want = await grants.get_want(want.id)
    body = WorkUpdate(model_id=grants.parent_world.model.id, replica_count=replica_count)
    want = await set_grant_work(grants.parent, grants.admin, want.id, want.version, body)
    await grants.carry()
    await grants.reconcile()
    return await grants.get_want(want.id)
