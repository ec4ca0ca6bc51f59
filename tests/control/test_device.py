"""Devices are closed by people, and suspect ones told of, or closed at once where the terms say so."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.device import change_use, judge_devices, note_errors
from keisan.control.lease import LEASE_LIFE
from keisan.domain.access import PlatformScope, Principal, ProviderScope, Right
from keisan.domain.device import Device, DeviceErrors, DeviceTerms, DeviceUse
from keisan.domain.errors import NotFound, PermissionDenied, StateConflict, VersionMismatch
from keisan.domain.event import Event
from keisan.domain.lease import WorkNoun
from keisan.domain.verdict import Verdict
from keisan.storage.database import Database
from keisan.wire.device import DeviceUpdate
from tests.domain.samples import build_device, name_id
from tests.factories import NOW, PLATFORM_ID, FixedClock, World, create_device

SCOPE = PlatformScope()
DRAIN = DeviceUpdate(use=DeviceUse.DRAINING, reason="fan")


def build_control(storage: Database, terms: DeviceTerms | None = None) -> Control:
    return Control(storage, FixedClock(), PLATFORM_ID, device_terms=terms or DeviceTerms())


def build_principal(world: World, *rights: Right, is_other: bool = False) -> Principal:
    side = world.right if is_other else world.left
    return Principal(name_id(3), ProviderScope(side.provider.id), frozenset(rights))


async def read_row(storage: Database, device: Device) -> Device:
    async with storage.read() as view:
        return await view.devices.get(SCOPE, device.id)


async def read_events(storage: Database, noun_id: UUID) -> list[Event]:
    async with storage.read() as view:
        return [event for event in await view.events.list(SCOPE, 0, 50) if event.noun_id == noun_id]


async def test_a_device_is_closed_with_who_when_and_why(storage: Database, world: World) -> None:
    control, principal = build_control(storage), build_principal(world, Right.WRITE_SITES)
    changed = await change_use(control, principal, world.left.device.id, 1, DRAIN)
    assert changed == await read_row(storage, changed)
    assert (changed.use, changed.use_reason, changed.use_actor) == (DeviceUse.DRAINING, "fan", f"key:{principal.id}")
    assert (changed.use_changed_at, changed.version) == (NOW, 2)
    (event,) = await read_events(storage, changed.id)
    assert event.action == "device.draining"
    assert event.detail["reason"] == "fan"
    assert event.detail["previous_use"] == "open"
    opened = await change_use(control, principal, changed.id, 2, DeviceUpdate(use=DeviceUse.OPEN))
    assert (opened.use, opened.use_reason) == (DeviceUse.OPEN, "")


async def test_deployments_with_replicas_there_are_looked_at(storage: Database, world: World) -> None:
    control, principal = build_control(storage), build_principal(world, Right.WRITE_SITES)
    await change_use(control, principal, world.left.device.id, 1, DRAIN)
    async with storage.write() as transaction:
        leases = await transaction.outbox.take(NOW, LEASE_LIFE, 10, {WorkNoun.DEPLOYMENT})
    assert [lease.noun_id for lease in leases] == [world.left.deployment.id]


async def test_only_its_provider_may_close_it_and_only_as_it_was_seen(storage: Database, world: World) -> None:
    control, device = build_control(storage), world.left.device
    with pytest.raises(PermissionDenied):
        await change_use(control, build_principal(world, Right.READ), device.id, 1, DRAIN)
    with pytest.raises(NotFound):
        await change_use(control, build_principal(world, Right.WRITE_SITES, is_other=True), device.id, 1, DRAIN)
    with pytest.raises(VersionMismatch):
        await change_use(control, build_principal(world, Right.WRITE_SITES), device.id, 7, DRAIN)
    assert (await read_row(storage, device)).use is DeviceUse.OPEN


FAILED = build_device(verdict=Verdict.FAILED, version=2)
CLOSING = DeviceTerms(is_cordoning=True)


def test_one_that_fails_is_suspect_once() -> None:
    before = {FAILED.id: build_device()}
    rows, reasons = judge_devices(DeviceTerms(), before, (FAILED,), NOW)
    assert rows == (FAILED,)
    assert list(reasons) == [FAILED.id]
    again = replace(FAILED, name="another name", version=3)
    assert judge_devices(DeviceTerms(), {FAILED.id: FAILED}, (again,), NOW) == ((again,), {})
    assert judge_devices(DeviceTerms(), {}, (FAILED,), NOW)[1] == reasons
    assert judge_devices(DeviceTerms(), before, (build_device(name="x"),), NOW)[1] == {}


def test_it_is_closed_where_the_terms_say_so_and_people_have_not_decided() -> None:
    (row,), _ = judge_devices(CLOSING, {FAILED.id: build_device()}, (FAILED,), NOW)
    assert (row.use, row.use_actor, row.version) == (DeviceUse.CORDONED, CONTROL_ACTOR, FAILED.version)
    drained = replace(FAILED, use=DeviceUse.DRAINING, use_actor="key:1")
    assert judge_devices(CLOSING, {FAILED.id: build_device()}, (drained,), NOW)[0] == (drained,)


@pytest.mark.parametrize(("terms", "use"), [(DeviceTerms(), DeviceUse.OPEN), (CLOSING, DeviceUse.CORDONED)])
async def test_one_whose_errors_pass_the_limit_is_told_of(
    storage: Database, world: World, terms: DeviceTerms, use: DeviceUse
) -> None:
    control, device = build_control(storage, terms), world.left.device
    await note_errors(control, device, DeviceErrors(0))
    assert await read_events(storage, device.id) == []
    await note_errors(control, device, DeviceErrors(1))
    assert (await read_row(storage, device)).use is use
    actions = [event.action for event in await read_events(storage, device.id)]
    assert sorted(actions) == sorted(["device.suspect", "device.cordoned"][: 1 + (use is DeviceUse.CORDONED)])


RETIRE = DeviceUpdate(use=DeviceUse.RETIRED, reason="sold")


async def set_row(storage: Database, device: Device, **changes: Any) -> Device:
    row = replace(device, version=device.version + 1, **changes)
    async with storage.write() as transaction:
        await transaction.devices.update(row)
    return row


async def test_a_device_in_use_is_not_retired_and_one_that_failed_is(storage: Database, world: World) -> None:
    control, principal = build_control(storage), build_principal(world, Right.WRITE_SITES)
    device = world.left.device
    with pytest.raises(StateConflict, match="open to work"):
        await change_use(control, principal, device.id, 1, RETIRE)
    closed = await set_row(storage, device, use=DeviceUse.DRAINING)
    with pytest.raises(StateConflict, match="still runs 1 replicas"):
        await change_use(control, principal, device.id, closed.version, RETIRE)
    failed = await set_row(storage, closed, use=DeviceUse.OPEN, verdict=Verdict.FAILED)
    retired = await change_use(control, principal, device.id, failed.version, RETIRE)
    assert (retired.use, retired.verdict, retired.use_reason) == (DeviceUse.RETIRED, Verdict.FAILED, "sold")
    (event,) = await read_events(storage, device.id)
    assert (event.action, event.detail["previous_use"]) == ("device.retired", "open")
    async with storage.write() as transaction:
        leases = await transaction.outbox.take(NOW, LEASE_LIFE, 10, {WorkNoun.DEPLOYMENT})
    assert [lease.noun_id for lease in leases] == [world.left.deployment.id], "what it ran moves elsewhere"


async def test_a_retired_device_is_given_no_work_before_it_is_reinstated(storage: Database, world: World) -> None:
    control, principal = build_control(storage), build_principal(world, Right.WRITE_SITES)
    bare = create_device(world.left.node)
    async with storage.write() as transaction:
        await transaction.devices.insert(replace(bare, use=DeviceUse.CORDONED))
    retired = await change_use(control, principal, bare.id, 1, RETIRE)
    assert retired.verdict is Verdict.UNKNOWN, "whoever hears of it has news"
    for use in (DeviceUse.OPEN, DeviceUse.DRAINING):
        with pytest.raises(StateConflict, match="reinstate it first"):
            await change_use(control, principal, bare.id, 2, DeviceUpdate(use=use, reason="x"))
    back = await change_use(control, principal, bare.id, 2, DeviceUpdate(use=DeviceUse.CORDONED, reason="it is back"))
    assert (await change_use(control, principal, bare.id, back.version, DeviceUpdate(use=DeviceUse.OPEN))).use == "open"


def test_a_retired_one_that_fails_is_not_suspect() -> None:
    retired = replace(FAILED, use=DeviceUse.RETIRED)
    assert judge_devices(CLOSING, {FAILED.id: build_device(use=DeviceUse.RETIRED)}, (retired,), NOW) == ((retired,), {})


async def test_errors_of_a_retired_one_are_nobodys_matter(storage: Database, world: World) -> None:
    retired = await set_row(storage, world.left.device, use=DeviceUse.RETIRED)
    await note_errors(build_control(storage, CLOSING), retired, DeviceErrors(uncorrected_count=9))
    assert await read_events(storage, retired.id) == []
