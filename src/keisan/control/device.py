"""Commands on devices: closing one to new work, clearing, opening or retiring it; and what is done about suspect ones."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from keisan.control.context import CONTROL_ACTOR, Control, check_version, name_actor
from keisan.control.reconcilers.candidate import hold_replicas
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.device import Device, DeviceErrors, DeviceTerms, DeviceUse, explain_use_refusal, find_suspicion
from keisan.domain.errors import StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import DeviceId
from keisan.domain.lease import WorkNoun
from keisan.domain.replica import Replica
from keisan.domain.verdict import Verdict
from keisan.storage.base import Transaction
from keisan.wire.device import DeviceUpdate

ACTIONS: Mapping[DeviceUse, str] = {
    DeviceUse.OPEN: "device.opened",
    DeviceUse.CORDONED: "device.cordoned",
    DeviceUse.DRAINING: "device.draining",
    DeviceUse.RETIRED: "device.retired",
}


async def change_use(
    control: Control, principal: Principal, device_id: DeviceId, expected_version: int, body: DeviceUpdate
) -> Device:
    """Open a device, close it to new work, have what runs there move elsewhere, or retire it.

    Raises PermissionDenied, NotFound, VersionMismatch, and StateConflict for one that is retired and is to be given work, or
    is to be retired and may be needed.
    """
    principal.require(Right.WRITE_SITES)
    now = control.clock.now()
    async with control.storage.write() as transaction:
        stored = await transaction.devices.get(principal.scope, device_id)
        check_version(stored.version, expected_version)
        replicas = await _list_held(transaction, stored)
        if refusal := explain_use_refusal(stored, body.use, len(replicas)):
            raise StateConflict(refusal)
        changed = _close(stored, body.use, body.reason, (name_actor(principal), now))
        if body.use is DeviceUse.RETIRED and changed.verdict is Verdict.OK:
            # Nobody expects to hear of it: what a report still says of it is then news.
            changed = replace(changed, verdict=Verdict.UNKNOWN)
        await transaction.devices.update(changed)
        await _note_use(transaction, stored, changed)
        # They move, or need not move any more.
        for deployment_id in sorted({replica.deployment_id for replica in replicas}):
            await transaction.outbox.put(WorkNoun.DEPLOYMENT, deployment_id, now)
    return changed


def _close(device: Device, use: DeviceUse, reason: str, stamp: tuple[str, datetime]) -> Device:
    actor, now = stamp
    return replace(device, use=use, use_reason=reason, use_actor=actor, use_changed_at=now, version=device.version + 1)


async def _note_use(transaction: Transaction, before: Device, after: Device) -> None:
    detail = {"hardware_id": after.hardware_id, "reason": after.use_reason, "previous_use": before.use.value}
    await transaction.events.append(EventDraft(after.use_actor, ACTIONS[after.use], after.id, detail))


async def _list_held(transaction: Transaction, device: Device) -> list[Replica]:
    scope = PlatformScope()
    replicas = await transaction.replicas.list_site(scope, device.site_id)
    return hold_replicas(await transaction.devices.list_site(scope, device.site_id), replicas)[device.id]


def judge_devices(
    terms: DeviceTerms, before: Mapping[DeviceId, Device], after: tuple[Device, ...], now: datetime
) -> tuple[tuple[Device, ...], Mapping[DeviceId, str]]:
    """Return the rows to write, closed where the terms say so, and why each that became suspect now is."""
    reasons: dict[DeviceId, str] = {}
    rows: list[Device] = []
    for device in after:
        known = before.get(device.id)
        reason = "" if device.use is DeviceUse.RETIRED else find_suspicion(terms, device.verdict, DeviceErrors())
        if reason and (known is None or known.verdict is not device.verdict):
            reasons[device.id] = reason
        is_closing = device.id in reasons and terms.is_cordoning and device.use is DeviceUse.OPEN
        stamp = (CONTROL_ACTOR, now)
        # Its version was counted up for the report already: both are one write.
        closed = replace(_close(device, DeviceUse.CORDONED, reason, stamp), version=device.version)
        rows.append(closed if is_closing else device)
    return tuple(rows), reasons


async def note_suspicion(transaction: Transaction, device: Device, reason: str) -> None:
    """Tell of a device that is suspect, and, if it is closed to new work for that, of this too."""
    detail = {"hardware_id": device.hardware_id, "reason": reason}
    await transaction.events.append(EventDraft(CONTROL_ACTOR, "device.suspect", device.id, detail))
    if (device.use, device.use_reason, device.use_actor) == (DeviceUse.CORDONED, reason, CONTROL_ACTOR):
        await _note_use(transaction, replace(device, use=DeviceUse.OPEN), device)


async def note_contradiction(transaction: Transaction, device: Device) -> None:
    """Tell of a retired device that its site reports as well: it counts again only once somebody reinstates it."""
    detail = {
        "hardware_id": device.hardware_id,
        "reason": "it is retired, and its site reports that it is there and well",
    }
    await transaction.events.append(EventDraft(CONTROL_ACTOR, "device.contradicted", device.id, detail))


async def note_errors(control: Control, device: Device, errors: DeviceErrors) -> None:
    """Tell of a device whose samples count more errors than the terms allow, and close it if they say so.

    Whoever reads samples calls this when a count has grown (device_error.py); one within its limit does nothing. Raises
    VersionMismatch when the row has changed.
    """
    terms = control.device_terms
    reason = find_suspicion(terms, device.verdict, errors)
    if not reason or device.use is DeviceUse.RETIRED:
        return
    async with control.storage.write() as transaction:
        row = device
        if terms.is_cordoning and device.use is DeviceUse.OPEN:
            row = _close(device, DeviceUse.CORDONED, reason, (CONTROL_ACTOR, control.clock.now()))
            await transaction.devices.update(row)
        await note_suspicion(transaction, row, reason)
