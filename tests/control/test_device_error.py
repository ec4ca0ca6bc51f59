"""Errors that frames count, by the real way in and on both databases: the rule is applied once for each growth, within bounds."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from keisan.control import device_error
from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.device import change_use
from keisan.control.device_error import NOTED_AGAIN_S, NOTES_SITE_MAX, DeviceErrorWatch
from keisan.control.telemetry import FleetWatch
from keisan.domain.access import PlatformScope, Role
from keisan.domain.device import Device, DeviceTerms, DeviceUse
from keisan.domain.errors import StorageUnavailable
from keisan.domain.sample import MISSING
from keisan.kit.clock import to_milliseconds
from keisan.storage.database import Database
from keisan.wire.device import DeviceUpdate
from keisan.wire.frame import encode_frame
from keisan.wire.inventory import encode_inventory
from tests.control.people import add_key
from tests.databases import (  # noqa: F401  # fixtures: both databases
    clock,
    postgresql_storage,
    shared_postgresql,
    sqlite_storage,
    storage,
)
from tests.deadline import wait_until_async
from tests.factories import SIGNER, FixedClock, Side, World, create_device, plant_world
from tests.telemetry.fleet import build_head, build_inventory, build_values

SCOPE = PlatformScope()
DEVICES = 8
CLOSING = DeviceTerms(uncorrected_max=0, is_cordoning=True, link_errors_max=100)


@pytest.fixture
async def world(storage: Database) -> World:  # noqa: F811  # the fixture is asked for by its name
    return await plant_world(storage)


class Stage:
    """A site of eight devices, whose rows are in the database and whose frames come by the agent's way."""

    def __init__(self, control: Control, side: Side) -> None:
        self.control, self.side = control, side
        self.fleet = FleetWatch(control, {})
        self.watch = DeviceErrorWatch(control, self.fleet.fleet)
        self.devices: list[Device] = []
        self.sequence = 0

    async def begin(self) -> None:
        self.devices = [create_device(self.side.node) for _ in range(DEVICES)]
        async with self.control.storage.write() as transaction:
            for device in self.devices:
                await transaction.devices.insert(device)
        inventory = replace(
            build_inventory([0] * DEVICES),
            hardware_ids=pa.array([each.hardware_id for each in self.devices], pa.utf8()),
        )
        await self.fleet.accept_inventory(self.side.agent.to_principal(), encode_inventory(inventory))

    def send(self, **counts: Any) -> None:
        """Hand in a frame of all devices."""
        self.sequence += 1
        head = build_head(self.sequence, to_milliseconds(self.control.clock.now()))
        body = encode_frame(head, np.arange(DEVICES, dtype=np.uint32), build_values(DEVICES, **counts))
        self.fleet.accept_frame(self.side.agent.to_principal(), body)

    async def read(self, number: int) -> Device:
        async with self.control.storage.read() as view:
            return await view.devices.get(SCOPE, self.devices[number].id)

    async def list_actions(self, number: int) -> list[str]:
        async with self.control.storage.read() as view:
            events = await view.events.list(SCOPE, 0, 200)
        return [each.action for each in events if each.noun_id == self.devices[number].id]


@pytest.fixture
async def stage(storage: Database, clock: FixedClock, world: World) -> Stage:  # noqa: F811  # the fixture is asked for by its name
    opened = Stage(Control(storage, clock, world.platform.id, signer=SIGNER, device_terms=CLOSING), world.left)
    await opened.begin()
    return opened


def counts_of(**by_number: int) -> list[int]:
    """Return counts by number, none for the others."""
    return [by_number.get(f"n{number}", 0) for number in range(DEVICES)]


async def test_a_device_whose_errors_grow_is_told_of_and_closed(stage: Stage) -> None:
    stage.send(ecc_uncorrected_count=0, link_error_count=100)
    assert await stage.watch.look() == 0
    stage.send(ecc_uncorrected_count=counts_of(n2=1), link_error_count=counts_of(n5=101))
    assert await stage.watch.look() == 2
    for number, reason in ((2, "it counted 1 errors"), (5, "its links counted 101 errors")):
        row = await stage.read(number)
        assert (row.use, row.use_actor) == (DeviceUse.CORDONED, CONTROL_ACTOR)
        assert row.use_reason.startswith(reason)
        assert await stage.list_actions(number) == ["device.suspect", "device.cordoned"]
    assert (await stage.read(0)).use is DeviceUse.OPEN
    # The same counts again, and frames that do not tell them, are no news.
    stage.send()
    stage.send(ecc_uncorrected_count=counts_of(n2=1), link_error_count=MISSING)
    assert await stage.watch.look() == 0


async def test_what_people_opened_is_suspect_again_only_if_it_grows(stage: Stage, world: World) -> None:
    admin = await add_key(stage.control, world.left.project, Role.PLATFORM_ADMIN)
    stage.send(ecc_uncorrected_count=counts_of(n1=3))
    await stage.watch.look()
    row = await stage.read(1)
    await change_use(stage.control, admin, row.id, row.version, DeviceUpdate(use=DeviceUse.OPEN))
    await stage.control.clock.sleep(NOTED_AGAIN_S)
    assert await stage.watch.look() == 0
    # A platform that starts anew takes what was decided on as known.
    again = DeviceErrorWatch(stage.control, stage.fleet.fleet)
    await again.look()
    assert (await stage.read(1)).use is DeviceUse.OPEN
    await stage.control.clock.sleep(NOTED_AGAIN_S)
    stage.send(ecc_uncorrected_count=counts_of(n1=4))
    for watch in (stage.watch, again):
        await watch.look()
    row = await stage.read(1)
    assert (row.use, row.use_actor) == (DeviceUse.CORDONED, CONTROL_ACTOR)


async def test_a_site_that_makes_counts_up_is_noted_a_few_at_a_time(stage: Stage, world: World) -> None:
    """And another site's device is noted in the same look."""
    other = Stage(stage.control, world.right)
    other.fleet, other.watch = stage.fleet, stage.watch
    await other.begin()
    other.send(ecc_uncorrected_count=counts_of(n0=1))
    noted = 0
    for growth in range(1, 4):
        stage.send(ecc_uncorrected_count=growth)
        found = await stage.watch.look()
        noted += found
        assert found <= NOTES_SITE_MAX + 1
        assert (await other.read(0)).use is DeviceUse.CORDONED
    # Each of its devices once, for each waits for its time.
    assert noted == DEVICES + 1
    assert [await stage.list_actions(number) for number in range(DEVICES)] == [
        ["device.suspect", "device.cordoned"]
    ] * DEVICES


async def test_all_sites_together_are_bounded_and_have_their_turns(
    stage: Stage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_error, "NOTES_MAX", 2)
    other = Stage(stage.control, world.right)
    other.fleet, other.watch = stage.fleet, stage.watch
    await other.begin()
    for each in (stage, other):
        each.send(ecc_uncorrected_count=1)
    assert [await stage.watch.look() for _ in range(2)] == [2, 2]
    closed = [sum([(await each.read(n)).use is DeviceUse.CORDONED for n in range(DEVICES)]) for each in (stage, other)]
    assert closed == [2, 2]


async def test_what_the_database_refuses_is_noted_later(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.send(ecc_uncorrected_count=counts_of(n3=1))
    write = Database.write
    refused = []

    def refuse(self: Database) -> Any:
        refused.append(1)
        if len(refused) == 1:
            raise StorageUnavailable("it is gone")
        return write(self)

    monkeypatch.setattr(Database, "write", refuse)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_slowly(stage, stop))
        await wait_until_async(lambda: len(refused) >= 2, "it is tried again")
        stop.set()
    assert (await stage.read(3)).use is DeviceUse.CORDONED


async def run_slowly(stage: Stage, stop: asyncio.Event) -> None:
    """Run the watch; its clock stands still, so that each of its waits lets others have their turn."""
    usual = stage.control.clock.sleep

    class Yielding(FixedClock):
        async def sleep(self, duration_s: float) -> None:
            await asyncio.sleep(0)
            await usual(duration_s)

    watch = DeviceErrorWatch(replace(stage.control, clock=Yielding(stage.control.clock.now())), stage.fleet.fleet)
    await watch.run(stop)
