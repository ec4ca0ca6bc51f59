"""Errors that devices count, as frames tell them: where they grow past a limit, the rule for suspect devices is applied.

Reads what frames left in the columns, apart from them and from each second's picture, a few devices of a site at a time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from keisan.control.context import Control
from keisan.control.device import note_errors
from keisan.domain.access import PlatformScope
from keisan.domain.device import Device
from keisan.domain.errors import KeisanError, NotFound, VersionMismatch
from keisan.domain.ids import SiteId
from keisan.kit.clock import wait_unless_stopped
from keisan.kit.observe import write_warning
from keisan.telemetry.device_error import NotedErrors, read_errors
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import LiveSite

LOOK_PERIOD_S = 10.0
# What a look notes at most, of one site and of all: a site that makes counts up fills no log.
NOTES_SITE_MAX = 4
NOTES_MAX = 32
# A device whose count goes on growing is noted again after this.
NOTED_AGAIN_S = 600.0


@dataclass(slots=True)
class DeviceErrorWatch:
    """Belongs to the event loop's thread, as the columns do."""

    control: Control
    fleet: LiveFleet
    _noted: dict[SiteId, NotedErrors] = field(default_factory=dict)
    _last: SiteId | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            try:
                await self.look()
            except KeisanError as fault:
                # What was not noted is found again.
                write_warning("device.errors_not_noted", code=fault.code)
            await wait_unless_stopped(self.control.clock, LOOK_PERIOD_S, stop)

    async def look(self) -> int:
        """Apply the rule to devices whose counts have grown, sites in turn, and return how many these were.

        Raises StorageUnavailable.
        """
        self._noted = {key: each for key, each in self._noted.items() if key in self.fleet.sites}
        count = 0
        for site_id in self._order_sites():
            if count >= NOTES_MAX:
                break
            site = self.fleet.sites.get(site_id)
            if site is None:
                continue
            self._last = site_id
            noted = self._noted.setdefault(site_id, NotedErrors())
            before_s = self.control.clock.monotonic_s() - NOTED_AGAIN_S
            grown = noted.find_grown(site.columns, self.control.device_terms, before_s)
            if grown:
                count += await self._note(site, noted, grown[: min(NOTES_SITE_MAX, NOTES_MAX - count)])
            # Frames have their turn before the next site.
            await self.control.clock.sleep(0)
        return count

    def _order_sites(self) -> Sequence[SiteId]:
        """Return all sites, the one after the last that was looked at first."""
        every = sorted(self.fleet.sites)
        place = next((place for place, each in enumerate(every) if self._last is None or each > self._last), 0)
        return [*every[place:], *every[:place]]

    async def _note(self, site: LiveSite, noted: NotedErrors, numbers: Sequence[int]) -> int:
        columns = site.columns
        errors = {number: read_errors(columns, number) for number in numbers}
        async with self.control.storage.read() as view:
            devices = await view.devices.list_site(PlatformScope(), site.place.site_id)
        rows = {each.hardware_id: each for each in devices}
        for number in numbers:
            device = rows.get(columns.inventory.hardware_ids[number].as_py())
            try:
                if device is not None and (noted.is_known(number) or not is_decided(device)):
                    await note_errors(self.control, device, errors[number])
            except (VersionMismatch, NotFound):
                # It was reported or decided on meanwhile: the next look reads it anew.
                continue
            noted.note(number, errors[number], self.control.clock.monotonic_s())
        return len(numbers)


def is_decided(device: Device) -> bool:
    """Tell whether someone has decided on a device's use: what it counted until this process began was known then."""
    return device.use_changed_at is not None
