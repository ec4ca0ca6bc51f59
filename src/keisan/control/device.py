"""Commands on devices: closing one to new work, clearing it, opening it again; and what is done about suspect ones."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from keisan.control.context import CONTROL_ACTOR, Control, check_version, name_actor
from keisan.control.reconcilers.candidate import hold_replicas
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.device import Device, DeviceErrors, DeviceTerms, DeviceUse, find_suspicion
from keisan.domain.event import EventDraft
from keisan.domain.ids import DeviceId
from keisan.domain.lease import WorkNoun
from keisan.storage.base import Transaction
from keisan.wire.device import DeviceUpdate

ACTIONS: Mapping[DeviceUse, str] = {
    DeviceUse.OPEN: "device.opened",
    DeviceUse.CORDONED: "device.cordoned",
    DeviceUse.DRAINING: "device.draining",
}


async def change_use(
    control: Control, principal: Principal, device_id: DeviceId, expected_version: int, body: DeviceUpdate
) -> Device:
    """Open a device, close it to new work, or have what runs there move elsewhere.

    Raises PermissionDenied, NotFound, VersionMismatch.
    """
    principal.require(Right.WRITE_SITES)
    now = control.clock.now()
    async with control.storage.write() as transaction:
        stored = await transaction.devices.get(principal.scope, device_id)
        check_version(stored.version, expected_version)
        changed = _close(stored, body.use, body.reason, (name_actor(principal), now))
        await transaction.devices.update(changed)
        await _note_use(transaction, stored, changed)
        await _wake_deployments(transaction, changed, now)
    return changed


def _close(device: Device, use: DeviceUse, reason: str, stamp: tuple[str, datetime]) -> Device:
    actor, now = stamp
    return replace(device, use=use, use_reason=reason, use_actor=actor, use_changed_at=now, version=device.version + 1)


async def _note_use(transaction: Transaction, before: Device, after: Device) -> None:
    detail = {"hardware_id": after.hardware_id, "reason": after.use_reason, "previous_use": before.use.value}
    await transaction.events.append(EventDraft(after.use_actor, ACTIONS[after.use], after.id, detail))


async def _wake_deployments(transaction: Transaction, device: Device, now: datetime) -> None:
    """Have the deployments looked at that have replicas on the device: they move, or need not move any more."""
    scope = PlatformScope()
    replicas = await transaction.replicas.list_site(scope, device.site_id)
    held = hold_replicas(await transaction.devices.list_site(scope, device.site_id), replicas)
    for deployment_id in sorted({replica.deployment_id for replica in held[device.id]}):
        await transaction.outbox.put(WorkNoun.DEPLOYMENT, deployment_id, now)


def judge_devices(
    terms: DeviceTerms, before: Mapping[DeviceId, Device], after: tuple[Device, ...], now: datetime
) -> tuple[tuple[Device, ...], Mapping[DeviceId, str]]:
    """Return the rows to write, closed where the terms say so, and why each that became suspect now is."""
    reasons: dict[DeviceId, str] = {}
    rows: list[Device] = []
    for device in after:
        known = before.get(device.id)
        reason = find_suspicion(terms, device.verdict, DeviceErrors())
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


async def note_errors(control: Control, device: Device, errors: DeviceErrors) -> None:
    """Tell of a device whose samples count more errors than the terms allow, and close it if they say so.

    Whoever reads samples calls this when a count has grown (device_error.py); one within its limit does nothing. Raises
    VersionMismatch when the row has changed.
    """
    terms = control.device_terms
    reason = find_suspicion(terms, device.verdict, errors)
    if not reason:
        return
    async with control.storage.write() as transaction:
        row = device
        if terms.is_cordoning and device.use is DeviceUse.OPEN:
            row = _close(device, DeviceUse.CORDONED, reason, (CONTROL_ACTOR, control.clock.now()))
            await transaction.devices.update(row)
        await note_suspicion(transaction, row, reason)
