"""The one book of what a child has committed: which devices are its own work's, which are granted, which are free."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from keisan.domain.errors import InvariantBroken
from keisan.domain.grant import HOLDING_STATES, Grant, GrantScope
from keisan.domain.ids import DeviceId, GrantId


@dataclass(frozen=True, slots=True)
class BookDevice:
    """A device as the book sees it: `is_usable` if new work may go there, `is_busy` if replicas of the child's own are there."""

    id: DeviceId
    chip: str
    is_usable: bool
    is_busy: bool


@dataclass(frozen=True, slots=True)
class GrantBook:
    """All devices of a child, in order, and which grant each is committed to. Whole devices are granted, each once."""

    devices: tuple[BookDevice, ...]
    granted: Mapping[DeviceId, GrantId]

    def list_free(self, chip: str | None) -> tuple[DeviceId, ...]:
        """Return the devices of a chip, of any for None, that could be granted now."""
        return tuple(
            device.id
            for device in self.devices
            if chip in (None, device.chip) and is_free(device, self.granted.get(device.id))
        )

    def assign(self, grant_id: GrantId, device_ids: Iterable[DeviceId]) -> "GrantBook":
        """Return the book with devices committed to a grant; raises InvariantBroken for one that is committed elsewhere."""
        granted = dict(self.granted)
        for device_id in device_ids:
            if granted.setdefault(device_id, grant_id) != grant_id:
                raise InvariantBroken(f"the device {device_id} would be granted twice")
        return replace(self, granted=granted)


def is_free(device: BookDevice, holder: GrantId | None) -> bool:
    """Tell whether a device could be granted: nobody's work is on it, and no grant holds it."""
    return device.is_usable and not device.is_busy and holder is None


def open_book(devices: Iterable[BookDevice], grants: Iterable[Grant]) -> GrantBook:
    """Return the book of what grants hold; raises InvariantBroken where two hold one device."""
    book = GrantBook(tuple(sorted(devices, key=lambda device: (device.chip, device.id))), {})
    for grant in grants:
        if grant.state in HOLDING_STATES:
            book = book.assign(grant.id, grant.device_ids)
    return book


def pick_devices(book: GrantBook, scope: GrantScope) -> tuple[DeviceId, ...]:
    """Return the devices for a grant, none if there are not enough: a grant is given whole or not at all."""
    free = book.list_free(scope.chip)
    return free[: scope.count] if len(free) >= scope.count else ()
