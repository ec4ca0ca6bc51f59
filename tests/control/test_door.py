"""A site's door on a real database: opened, told, its secret replaced by the reports of its agent, closed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from keisan.control.context import Control
from keisan.control.door import are_gateways_moved, rotate_door
from keisan.control.machine import GATEWAY_SILENCE_S_MAX, revoke_machine
from keisan.control.pulse import LOOK_EVERY_S
from keisan.control.report import accept_report
from keisan.control.snapshot import SnapshotFeed
from keisan.domain.access import Principal, Role
from keisan.domain.door import Door, DoorStage
from keisan.domain.errors import InvariantBroken, NotFound, PermissionDenied, StateConflict
from keisan.domain.key import Secret, digest_secret
from keisan.domain.limits import DOOR_SECRET_KEPT_S_MAX, DOOR_SECRET_KEPT_S_MIN
from keisan.wire.door import DoorReport
from keisan.wire.snapshot import Snapshot, SnapshotQuery
from tests.control.people import EVERYTHING, add_key, get_version, list_events, list_touched
from tests.control.reports import build_report, report_device, report_node, report_replica
from tests.domain.samples import CERTIFICATE, NOW, build_door
from tests.factories import FixedClock, World, create_machine

S = DoorStage
PLACE = {"host": "door.example", "port": 8443, "is_tls": True, "certificates": CERTIFICATE}
LATER_S = DOOR_SECRET_KEPT_S_MIN + 1


@dataclass
class Site:
    """The left site as its agent sees it: `digests` are those that its door's file lets in."""

    control: Control
    world: World
    clock: FixedClock
    digests: tuple[str, ...] = ()

    async def report(self, **place: Any) -> tuple[str, ...]:
        """Report once with a door, let in whom the answer says, and return that."""
        door = DoorReport.model_validate({**PLACE, "digests": self.digests, **place})
        answer = await self._send(door)
        assert answer is not None
        self.digests = answer
        return answer

    async def report_none(self) -> None:
        assert await self._send(None) is None

    async def _send(self, door: DoorReport | None) -> tuple[str, ...] | None:
        left = self.world.left
        report = build_report(
            nodes=(report_node(hardware_id=left.node.hardware_id),),
            devices=(report_device(hardware_id=left.device.hardware_id, node_hardware_id=left.node.hardware_id),),
            replicas=(report_replica(replica_id=left.replica.id),),
            door=door,
        )
        orders = await accept_report(self.control, left.agent.to_principal(), report)
        return None if orders.door is None else orders.door.digests

    async def open(self) -> None:
        """Report until gateways are told of the door."""
        await self.report()
        await self.report()

    async def get(self) -> Door:
        async with self.control.storage.read() as view:
            return await view.doors.get(EVERYTHING, self.world.left.site.id)

    async def fetch(self) -> Snapshot:
        answer = await SnapshotFeed(self.control).answer(self.world.gateway.to_principal(), SnapshotQuery())
        assert answer is not None
        assert answer.snapshot is not None
        return answer.snapshot

    async def acknowledge(self) -> None:
        """Let the gateway serve the newest snapshot, and say so."""
        version = await get_version(self.control)
        async with self.control.storage.write() as transaction:
            await transaction.machines.acknowledge(self.world.gateway.id, version, self.clock.now())

    def wait(self, duration_s: float) -> None:
        self.clock.instant += timedelta(seconds=duration_s)

    async def rotate(self) -> None:
        await rotate_door(self.control, await self.ask_as(Role.PLATFORM_ADMIN), self.world.left.site.id)

    async def ask_as(self, role: Role) -> Principal:
        provider_id = self.world.left.provider.id if role is Role.PROVIDER else None
        return await add_key(self.control, self.world.left.project, role, provider_id)


@pytest.fixture
def site(control: Control, world: World, clock: FixedClock) -> Site:
    """The left site, which has no door yet."""
    return Site(control, world, clock)


async def test_door_is_told_only_once_it_lets_its_first_secret_in(site: Site) -> None:
    replica_id = str(site.world.left.replica.id)
    [ordered] = await site.report()
    before = await site.fetch()
    assert (before.tables.doors, before.tables.replicas[replica_id].upstream.kind) == ({}, "unix")
    assert await site.report() == (ordered,)
    after = await site.fetch()
    row = after.tables.doors[str(site.world.left.site.id)]
    assert (row.host, row.port, row.is_tls, row.certificates) == ("door.example", 8443, True, CERTIFICATE)
    assert digest_secret(Secret(row.secret)) == ordered
    upstream = after.tables.replicas[replica_id].upstream
    assert (upstream.kind, upstream.path, upstream.port) == ("door", f"/replicas/{replica_id}", 8443)
    # Of the other site, which has no door, nothing changes.
    assert after.tables.replicas[str(site.world.right.replica.id)].upstream.kind == "unix"


async def test_database_and_events_hold_no_secret(site: Site) -> None:
    await site.open()
    [row] = (await site.fetch()).tables.doors.values()
    door = await site.get()
    assert row.secret not in repr(door)
    assert row.secret not in repr(await list_events(site.control))
    assert door.shown_salt not in row.secret


async def test_what_is_told_again_writes_nothing(site: Site) -> None:
    await site.open()
    door, version, events = await site.get(), await get_version(site.control), await list_events(site.control)
    for _ in range(3):
        await site.report()
    assert (await site.get(), await get_version(site.control), await list_events(site.control)) == (
        door,
        version,
        events,
    )


async def test_secret_is_replaced_and_no_gateway_is_left_behind(site: Site) -> None:
    await site.open()
    await site.acknowledge()
    [old] = site.digests
    [before] = (await site.fetch()).tables.doors.values()
    await site.rotate()
    assert (await site.get()).is_rotating
    # The door learns it, then gateways do, and both are let in until they say so.
    assert (await site.report())[0] == old
    assert len(site.digests) == 2
    assert list((await site.fetch()).tables.doors.values()) == [before]
    await site.report()
    [after] = (await site.fetch()).tables.doors.values()
    new = digest_secret(Secret(after.secret))
    assert new != old
    assert set(site.digests) == {old, new}
    site.wait(LATER_S)
    assert set(await site.report()) == {old, new}
    await site.acknowledge()
    assert await site.report() == (new,)
    assert (await site.get()).is_rotating
    await site.report()
    assert not (await site.get()).is_rotating
    stages = [event.action for event in await list_events(site.control) if event.action.startswith("door.")]
    opened = ["door.placed", "door.arriving", "door.steady", "door.rotation_wanted"]
    assert stages == [*opened, "door.arriving", "door.leaving", "door.closing", "door.steady"]


async def test_change_is_told_row_by_row(site: Site) -> None:
    site_id, replica_id = str(site.world.left.site.id), str(site.world.left.replica.id)
    start = await get_version(site.control)
    await site.open()
    assert await list_touched(site.control, start) == {("doors", site_id), ("replicas", replica_id)}
    for place, touched in (
        ({"certificates": CERTIFICATE * 2}, {("doors", site_id)}),
        ({"port": 9000}, {("doors", site_id), ("replicas", replica_id)}),
    ):
        before = await get_version(site.control)
        await site.report(**place)
        assert await list_touched(site.control, before) == touched
    before = await get_version(site.control)
    await site.report_none()
    assert await list_touched(site.control, before) == {("doors", site_id), ("replicas", replica_id)}


async def test_closed_door_is_forgotten_by_gateways_and_opens_with_its_secret(site: Site) -> None:
    await site.open()
    [row] = (await site.fetch()).tables.doors.values()
    await site.report_none()
    closed = await site.fetch()
    assert closed.tables.doors == {}
    assert closed.tables.replicas[str(site.world.left.replica.id)].upstream.kind == "unix"
    with pytest.raises(StateConflict):
        await site.rotate()
    await site.report()
    assert [again.secret for again in (await site.fetch()).tables.doors.values()] == [row.secret]


async def test_only_who_owns_the_site_rotates_its_door(site: Site) -> None:
    await site.open()
    left, right = site.world.left.site.id, site.world.right.site.id
    await rotate_door(site.control, await site.ask_as(Role.PROVIDER), left)
    for role, kind in ((Role.PROVIDER, NotFound), (Role.ORGANIZATION_ADMIN, PermissionDenied)):
        with pytest.raises(kind):
            await rotate_door(site.control, await site.ask_as(role), right)
    with pytest.raises(PermissionDenied):
        await rotate_door(site.control, site.world.gateway.to_principal(), left)


async def test_revoked_gateway_takes_every_secret_with_it(site: Site) -> None:
    await site.open()
    admin = await site.ask_as(Role.PLATFORM_ADMIN)
    await revoke_machine(site.control, admin, site.world.right.agent.id)
    assert not (await site.get()).is_rotating
    await revoke_machine(site.control, admin, site.world.gateway.id)
    assert (await site.get()).is_rotation_wanted


async def test_without_a_root_there_are_no_doors(site: Site) -> None:
    site.control = replace(site.control, door_root=None)
    with pytest.raises(InvariantBroken):
        await site.report()
    await site.report_none()


def move(after_s: float, *acknowledged: int | tuple[int, float]) -> bool:
    """Tell whether gateways have moved to version 7 so long after it was told; a pair has how long one was silent."""
    now = NOW + timedelta(seconds=after_s)
    gateways = []
    for told in acknowledged:
        version, silence_s = told if isinstance(told, tuple) else (told, 0.0)
        seen_at = now - timedelta(seconds=silence_s)
        gateways.append(replace(create_machine(), acknowledged_version=version, seen_at=seen_at))
    door = build_door(stage=S.LEAVING, other_salt="5b" * 32, moved_at=NOW, moved_version=7)
    return are_gateways_moved(door, gateways, now)


CUT_S = GATEWAY_SILENCE_S_MAX + 1.0


@pytest.mark.parametrize(
    ("after_s", "acknowledged", "is_moved"),
    [
        (LATER_S, [], True),
        (LATER_S, [7, 9], True),
        (LATER_S, [7, 6], False),
        (DOOR_SECRET_KEPT_S_MIN - 1, [7], False),
        # One that is cut off is waited for, for a time; one that is not, always.
        (LATER_S, [(6, CUT_S)], False),
        (DOOR_SECRET_KEPT_S_MAX, [(6, CUT_S), 7], True),
        (DOOR_SECRET_KEPT_S_MAX, [(6, CUT_S), 6], False),
    ],
)
def test_nobody_who_may_show_the_old_secret_is_passed_over(
    after_s: float, acknowledged: Sequence[int | tuple[int, float]], *, is_moved: bool
) -> None:
    assert move(after_s, *acknowledged) is is_moved


def test_one_look_is_shorter_than_what_is_waited_for() -> None:
    assert LOOK_EVERY_S < DOOR_SECRET_KEPT_S_MIN < DOOR_SECRET_KEPT_S_MAX
