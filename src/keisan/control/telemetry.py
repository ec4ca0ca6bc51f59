"""The fleet of this process: inventories and frames come in, and each second the picture is renewed and changes are told.

The newest state goes first, history after it, both at bounded rates. Belongs to the event loop's thread; the tick waits for nobody.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn, Protocol

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.telemetry_event import FleetEvents
from keisan.control.telemetry_note import read_notes
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.errors import InvalidInput, KeisanError, PermissionDenied, Postponed, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.frame import FrameFault, FrameOutcome
from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.inventory import InventoryMark, StoredInventory
from keisan.domain.limits import LATE_SAMPLES_PER_S_MAX, SITE_RATE_MULTIPLE
from keisan.domain.sample import FrameHead
from keisan.domain.verdict import Verdict
from keisan.kit.clock import to_milliseconds, wait_unless_stopped
from keisan.kit.observe import write_warning
from keisan.telemetry.change import judge_site, list_device_changes
from keisan.telemetry.device_note import NO_NOTES, DeviceNotes
from keisan.telemetry.late_budget import LateBudget
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import LiveSite, Moment, SitePlace
from keisan.telemetry.rule_frame import is_old
from keisan.telemetry.rule_inventory import check_growth
from keisan.wire.frame import Numbers, Values, decode_frame
from keisan.wire.inventory import Inventory, decode_inventory, encode_inventory, pack_inventory, unpack_inventory

ROLL_UP_PERIOD_S = 1.0
NOTE_PERIOD_S = 5.0
# Before so long a platform that started cannot know that a site is silent.
LISTENING = timedelta(seconds=30)


class FrameSink(Protocol):
    """Where accepted frames go to become history."""

    def append(self, place: SitePlace, head: FrameHead, numbers: Numbers, values: Values) -> bool:
        """Take a frame over, and tell whether there was room; returns at once."""
        ...

    def take_inventory(self, place: SitePlace, inventory: Inventory) -> None:
        """Take an inventory over, so that numbers of devices can be read later; returns at once."""
        ...


@dataclass(slots=True)
class FleetWatch:
    """Built once per process by daemon. `nominal_gflops` is what the catalogue says of chips, where it does.

    `providers` are names that were looked up (control/telemetry_series.py).
    """

    control: Control
    nominal_gflops: Mapping[str, int]
    sink: FrameSink | None = None
    fleet: LiveFleet = field(init=False)
    late: LateBudget = field(default_factory=lambda: LateBudget(LATE_SAMPLES_PER_S_MAX))
    renewed: asyncio.Event = field(default_factory=asyncio.Event)
    providers: dict[ProviderId, str] = field(default_factory=dict)
    is_closing: bool = False
    events: FleetEvents = field(init=False)
    notes: dict[SiteId, DeviceNotes] = field(default_factory=dict)
    _notes_due: asyncio.Event = field(default_factory=asyncio.Event)
    _placing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _told: dict[SiteId, Verdict] = field(default_factory=dict)
    _faults_told: set[tuple[SiteId, FrameFault]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.fleet = LiveFleet(self.nominal_gflops)
        self.events = FleetEvents(self.control)

    async def load(self) -> None:
        """Know all sites that ever told an inventory: their devices are unknown until frames come."""
        async with self.control.storage.read() as view:
            stored = {row.id: row for row in await view.inventories.list_all(PlatformScope())}
            sites = await view.sites.list_all(PlatformScope())
        for site in sites:
            if site.id in stored:
                place = SitePlace(site.id, site.provider_id, site.name, site.region)
                try:
                    self._place(place, decode_inventory(unpack_inventory(stored[site.id].body)))
                except InvalidInput as fault:
                    # Kept by an earlier release: the site tells it again with its next frame.
                    write_warning("inventory.not_read", site=str(site.id), outside=fault.outside)
        await self.note_devices()
        self.fleet.roll_up(self.read_moment())

    def read_moment(self) -> Moment:
        """Return now, by both clocks."""
        clock = self.control.clock
        return Moment(to_milliseconds(clock.now()), round(clock.monotonic_s() * 1000))

    async def accept_inventory(self, principal: Principal, body: bytes) -> InventoryMark:
        """Take a site's inventory and keep it.

        Raises PermissionDenied for anybody but a site's agent, InvalidInput for one that contradicts itself, StateConflict
        for one that takes back what its incarnation told before.
        """
        site_id = get_site_id(principal)
        inventory = decode_inventory(body)
        # One at a time: what is checked is what is replaced.
        async with self._placing:
            return await self._replace_inventory(principal, site_id, inventory, body)

    async def _replace_inventory(
        self, principal: Principal, site_id: SiteId, inventory: Inventory, body: bytes
    ) -> InventoryMark:
        known = self.fleet.sites.get(site_id)
        if known is not None:
            check_growth(known.columns.inventory, inventory)
            if encode_inventory(known.columns.inventory) == body:
                return known.mark
        head = inventory.head
        async with self.control.storage.write() as transaction:
            site = await transaction.sites.get(PlatformScope(), site_id)
            row = StoredInventory(
                id=site_id,
                platform_id=self.control.platform_id,
                incarnation=head.incarnation,
                version=head.version,
                device_count=inventory.device_count,
                body=pack_inventory(body),
                received_at=self.control.clock.now(),
            )
            await transaction.inventories.put(row)
            detail = {"incarnation": head.incarnation, "version": str(head.version), "devices": str(row.device_count)}
            await transaction.events.append(EventDraft(f"machine:{principal.id}", "inventory.put", site_id, detail))
        place = SitePlace(site.id, site.provider_id, site.name, site.region)
        self._place(place, inventory)
        return self.fleet.sites[site_id].mark

    def _place(self, place: SitePlace, inventory: Inventory) -> None:
        self.fleet.take_inventory(place, inventory)
        self.fleet.sites[place.site_id].note_devices(self.notes.get(place.site_id, NO_NOTES))
        if self.sink is not None:
            self.sink.take_inventory(place, inventory)

    def accept_frame(self, principal: Principal, body: bytes) -> FrameOutcome:
        """Take a site's frame.

        Raises PermissionDenied for anybody but a site's agent, StateConflict for devices of an inventory that is not known,
        InvalidInput for a frame that is wrong, Postponed for one that is to be sent again: what is live of it may have been
        taken all the same.
        """
        site = self.fleet.sites.get(get_site_id(principal))
        if site is None:
            raise StateConflict("this site has told no inventory; send it before any frame")
        now = self.read_moment()
        # Before it is read: what is sent too often must cost nothing.
        if wait_s := site.find_wait_s(now):
            self._postpone(site, FrameFault.OVER_RATE, wait_s)
        try:
            head, numbers, values = decode_frame(body)
        except InvalidInput:
            site.budget.charge(0)
            self._count_fault(site, FrameFault.MALFORMED)
            raise
        refusal = site.find_refusal(head, numbers, now)
        if refusal is not None:
            site.budget.charge(0)
            self._tell_fault(site, refusal.fault, refusal.error)
            raise refusal.error
        outcome = site.judge(head)
        # What is no news pays as history does, also when nothing newer has come.
        if outcome is FrameOutcome.LATE or (outcome is FrameOutcome.LIVE and is_old(head, now.wall_ms)):
            if wait_s := self.late.take(site.place.site_id, len(numbers), now.monotonic_ms / 1000):
                site.budget.charge(0)
                self._postpone(site, FrameFault.POSTPONED, wait_s)
        else:
            site.budget.charge(len(numbers))
        taken = site.take(head, numbers, values, now, None if self.sink is None else self.sink.append)
        if isinstance(taken, FrameFault):
            raise Postponed("history has no room now; what is live of it was taken, send it again later")
        return taken

    def _postpone(self, site: LiveSite, fault: FrameFault, wait_s: float) -> NoReturn:
        site.faults[fault] += 1
        text = f"late frames are taken at {self.late.samples_per_s} samples a second in all"
        if fault is FrameFault.OVER_RATE:
            text = f"live frames are taken at {SITE_RATE_MULTIPLE} times what the site's devices make in its period"
        raise Postponed(f"{text}; send it again later", after_s=wait_s)

    def close(self) -> None:
        """Let those go that wait for the next picture: the process ends, and they must not hold it up."""
        self.is_closing = True
        self.renewed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Renew the picture each second until `stop` is set; beside it notes are read and events written."""
        async with asyncio.TaskGroup() as group:
            noting = group.create_task(self._keep_notes(), name="notes of devices")
            writing = group.create_task(self.events.run(), name="events of the fleet")
            await self._keep_picture(stop)
            noting.cancel()
            await self.events.end(writing)

    async def _keep_picture(self, stop: asyncio.Event) -> None:
        clock = self.control.clock
        begun_at, noted_s = clock.now(), -NOTE_PERIOD_S
        while not stop.is_set():
            started_s = clock.monotonic_s()
            if started_s - noted_s >= NOTE_PERIOD_S:
                noted_s = started_s
                self._notes_due.set()
            self.renew(is_settled=clock.now() - begun_at > LISTENING)
            await wait_unless_stopped(clock, max(0.0, ROLL_UP_PERIOD_S - (clock.monotonic_s() - started_s)), stop)

    async def _keep_notes(self) -> None:
        while True:
            await self._notes_due.wait()
            self._notes_due.clear()
            try:
                await self.note_devices()
            except KeisanError as fault:
                write_warning("telemetry.devices_not_noted", code=fault.code)

    async def note_devices(self) -> None:
        """Take in what people and challenges said of devices, where it has changed; raises StorageUnavailable."""
        before, self.notes = self.notes, await read_notes(self.control)
        for site_id in before.keys() | self.notes.keys():
            site, notes = self.fleet.sites.get(site_id), self.notes.get(site_id, NO_NOTES)
            if site is not None and notes != before.get(site_id, NO_NOTES):
                site.note_devices(notes)

    def renew(self, *, is_settled: bool) -> None:
        """Renew the picture, wake who waits for it, and hand over what changed; returns at once.

        `is_settled` says that this process has listened for long enough: who has not been heard yet is silent.
        """
        changed = self.fleet.roll_up(self.read_moment())
        self.renewed.set()
        self.renewed = asyncio.Event()
        self.events.add(self._describe_changes(changed, is_settled=is_settled))

    def _describe_changes(self, changed: tuple[LiveSite, ...], *, is_settled: bool) -> Iterator[EventDraft]:
        for site in changed:
            for change in list_device_changes(site):
                detail = {"count": str(change.count), "first": ", ".join(change.hardware_ids)}
                yield EventDraft(CONTROL_ACTOR, f"devices.{change.verdict}", site.place.site_id, detail)
        for site in self.fleet.sites.values():
            verdict, told = judge_site(site), self._told.get(site.place.site_id)
            # One that has not been heard since this process began is news only once it could have been.
            if verdict is told or (told is None and verdict is Verdict.UNKNOWN and not is_settled):
                continue
            self._told[site.place.site_id] = verdict
            if told is not None or verdict is not Verdict.OK:
                detail = {"name": site.place.name, "region": site.place.region}
                yield EventDraft(CONTROL_ACTOR, f"telemetry.{verdict}", site.place.site_id, detail)

    def _count_fault(self, site: LiveSite, fault: FrameFault) -> None:
        site.faults[fault] += 1
        self._tell_fault(site, fault, None)

    def _tell_fault(self, site: LiveSite, fault: FrameFault, error: KeisanError | None) -> None:
        """Log the first of each kind from a site; the rest are counted."""
        if (site.place.site_id, fault) not in self._faults_told:
            self._faults_told.add((site.place.site_id, fault))
            write_warning(
                "frame.refused", site=str(site.place.site_id), fault=fault, outside=error.outside if error else ""
            )


def get_site_id(principal: Principal) -> SiteId:
    """Return whose agent asks; raises PermissionDenied for anybody else."""
    principal.require(Right.SERVE_SITE)
    if principal.site_id is None:
        raise PermissionDenied("this machine belongs to no site")
    return principal.site_id
