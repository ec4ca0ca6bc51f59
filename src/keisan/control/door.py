"""Doors of sites: what a report changes of one, decided on values; and the command that changes its secret.

A door goes from stage to stage with the reports of its site's agent, which says whom the door lets in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keisan.control.context import Control, name_actor
from keisan.control.machine import is_connected
from keisan.domain.access import MachineKind, PlatformScope, Principal, Right
from keisan.domain.door import (
    Door,
    DoorPlace,
    DoorSight,
    DoorStage,
    advance_door,
    digest_salt,
    list_salts,
)
from keisan.domain.errors import StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import ReplicaId, SiteId
from keisan.domain.key import create_salt
from keisan.domain.limits import DOOR_SECRET_KEPT_S_MAX, DOOR_SECRET_KEPT_S_MIN
from keisan.domain.machine import Machine
from keisan.domain.site import Site
from keisan.domain.snapshot import SnapshotTable
from keisan.storage.base import Transaction
from keisan.wire.door import DoorOrder, DoorReport


@dataclass(frozen=True, slots=True)
class KnownDoor:
    """What is stored of a site's door, None if it never had one, and the gateways that may have to move to a new secret."""

    door: Door | None
    gateways: Sequence[Machine] = ()


@dataclass(frozen=True, slots=True)
class DoorChange:
    """A door before a report and after it; `after` has the version to write."""

    before: Door | None
    after: Door

    @property
    def is_told_change(self) -> bool:
        """Tell whether gateways must hear of it."""
        return _tell(self.before) != _tell(self.after)

    @property
    def is_way_change(self) -> bool:
        """Tell whether the way to the site's replicas is another now."""
        return _find_way(self.before) != _find_way(self.after)


async def rotate_door(control: Control, principal: Principal, site_id: SiteId) -> Door:
    """Have the secret of a site's door replaced, with the next reports of its agent; a repeat while one arrives is none.

    Raises PermissionDenied, NotFound for a site outside the scope or without a door, StateConflict for a closed door.
    """
    principal.require(Right.WRITE_SITES)
    async with control.storage.write() as transaction:
        door = await transaction.doors.get(principal.scope, site_id)
        if door.place is None:
            raise StateConflict("this site has no door now")
        await transaction.doors.want_rotations(principal.scope, [site_id])
        await transaction.events.append(EventDraft(name_actor(principal), "door.rotation_wanted", site_id, {}))
        return await transaction.doors.get(principal.scope, site_id)


async def load_door(view: Transaction, site_id: SiteId) -> KnownDoor:
    """Return what is stored of a site's door."""
    door = await view.doors.find(PlatformScope(), site_id)
    is_moving = door is not None and door.stage is DoorStage.LEAVING
    return KnownDoor(door, await view.machines.list_kind(PlatformScope(), MachineKind.GATEWAY) if is_moving else ())


def compare_door(control: Control, known: KnownDoor, site: Site, report: DoorReport | None) -> DoorChange | None:
    """Return what a report changes of its site's door, None for nothing."""
    now = control.clock.now()
    before = known.door
    if before is None and report is None:
        return None
    placed = replace(before or _build_door(site, now), place=None if report is None else _read_place(report))
    after = placed if report is None else _advance(control, placed, known.gateways, report)
    if after == before:
        return None
    return DoorChange(before, after if before is None else replace(after, version=before.version + 1))


async def write_door(
    transaction: Transaction, change: DoorChange, replica_ids: Iterable[ReplicaId], actor: str
) -> None:
    """Write a change of a door; `replica_ids` are those of its site that gateways know. Raises as repositories do."""
    before, after = change.before, change.after
    if change.is_told_change:
        moved_version = await transaction.snapshot.touch(SnapshotTable.DOORS, [after.id])
        if before is None or before.shown_salt != after.shown_salt:
            after = replace(after, moved_version=moved_version)
    if change.is_way_change:
        await transaction.snapshot.touch(SnapshotTable.REPLICAS, replica_ids)
    if before is None:
        await transaction.doors.insert(after)
    else:
        await transaction.doors.update(after)
    for draft in _describe(before, after, actor):
        await transaction.events.append(draft)


def order_door(control: Control, door: Door | None) -> DoorOrder | None:
    """Return whom a site's door is to let in, None for a site without one."""
    if door is None or door.place is None:
        return None
    root = control.get_door_root()
    return DoorOrder(digests=tuple(digest_salt(root, door.id, salt) for salt in list_salts(door)))


def are_gateways_moved(door: Door, gateways: Sequence[Machine], now: datetime) -> bool:
    """Tell whether nobody needs the leaving secret: every gateway serves the snapshot that shows the new one.

    One that is cut off from its platform still shows the old one, and is waited for as long as DOOR_SECRET_KEPT_S_MAX.
    """
    kept_s = 0.0 if door.moved_at is None else (now - door.moved_at).total_seconds()
    if kept_s < DOOR_SECRET_KEPT_S_MIN:
        return False
    behind = [gateway for gateway in gateways if gateway.acknowledged_version < door.moved_version]
    return not behind or (
        kept_s >= DOOR_SECRET_KEPT_S_MAX and not any(is_connected(gateway, now) for gateway in behind)
    )


def _build_door(site: Site, now: datetime) -> Door:
    return Door(
        id=site.id,
        platform_id=site.platform_id,
        place=None,
        stage=DoorStage.STEADY,
        shown_salt="",
        other_salt="",
        is_rotation_wanted=False,
        moved_at=None,
        moved_version=0,
        version=1,
        created_at=now,
    )


def _read_place(report: DoorReport) -> DoorPlace:
    return DoorPlace(report.host, report.port, report.is_tls, report.certificates)


def _advance(control: Control, door: Door, gateways: Sequence[Machine], report: DoorReport) -> Door:
    now, root = control.clock.now(), control.get_door_root()
    known = {salt for salt in (door.shown_salt, door.other_salt) if salt}
    let_in = frozenset(salt for salt in known if digest_salt(root, door.id, salt) in report.digests)
    after = advance_door(door, DoorSight(let_in, are_gateways_moved(door, gateways, now)), create_salt())
    return after if after.shown_salt == door.shown_salt else replace(after, moved_at=now)


def _tell(door: Door | None) -> tuple[DoorPlace | None, str] | None:
    """Return what gateways know of a door."""
    return (door.place, door.shown_salt) if door is not None and door.is_told else None


def _find_way(door: Door | None) -> tuple[str, int, bool] | None:
    """Return where gateways reach a site's replicas, None for their own sockets."""
    if door is None or door.place is None or not door.is_told:
        return None
    return door.place.host, door.place.port, door.place.is_tls


def _describe(before: Door | None, after: Door, actor: str) -> list[EventDraft]:
    place, detail = after.place, {}
    words: list[str] = []
    if (None if before is None else before.place) != place:
        words.append("closed" if place is None else "placed")
        detail = {} if place is None else {"host": place.host, "port": str(place.port)}
    if before is None or before.stage is not after.stage:
        words.append(after.stage)
    return [EventDraft(actor, f"door.{word}", after.id, detail) for word in words]
