"""The platform's own rules on inventories and frames, in memory, as the way of one site's agent to it."""

from dataclasses import dataclass, field

from keisan.domain.errors import KeisanError, PlatformUnreachable, StateConflict
from keisan.domain.frame import FrameFault, FrameOutcome
from keisan.domain.sample import FIELD_INDEX, MISSING, FrameHead, SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock, to_milliseconds
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import LiveSite, Moment
from keisan.telemetry.rule_inventory import check_growth
from keisan.wire.frame import decode_frame
from keisan.wire.inventory import decode_inventory
from tests.telemetry.fleet import number_site

PLACE = number_site(1)


@dataclass
class LivePlatform:
    """Takes what the real one takes, and refuses what it refuses. `fault` is raised instead; an answer may be lost."""

    clock: Clock
    fleet: LiveFleet = field(default_factory=lambda: LiveFleet({}))
    taken: list[tuple[FrameHead, FrameOutcome]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    inventory_count: int = 0
    fault: KeisanError | None = None
    is_answer_lost: bool = False

    @property
    def site(self) -> LiveSite:
        return self.fleet.sites[PLACE.site_id]

    async def send_inventory(self, body: bytes) -> None:
        self.take_inventory(body)

    async def send_frame(self, body: bytes) -> FrameOutcome:
        return self.take_frame(body)

    def take_inventory(self, body: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        inventory = decode_inventory(body)
        if PLACE.site_id in self.fleet.sites:
            check_growth(self.site.columns.inventory, inventory)
        self.fleet.take_inventory(PLACE, inventory)
        self.inventory_count += 1

    def take_frame(self, body: bytes) -> FrameOutcome:
        if self.fault is not None:
            raise self.fault
        if PLACE.site_id not in self.fleet.sites:
            raise StateConflict("this site has told no inventory")
        head, numbers, values = decode_frame(body)
        refusal = self.site.find_refusal(head, numbers, self.read_moment())
        if refusal is not None:
            raise refusal.error
        outcome = self.site.take(head, numbers, values, self.read_moment())
        assert not isinstance(outcome, FrameFault), "there is no history here that could be full"
        self.taken.append((head, outcome))
        self.bodies.append(body)
        if self.is_answer_lost:
            raise PlatformUnreachable("the answer is lost")
        return outcome

    def read_moment(self) -> Moment:
        return Moment(to_milliseconds(self.clock.now()), round(self.clock.monotonic_s() * 1000))

    def count_faults(self) -> dict[FrameFault, int]:
        return {fault: number for fault, number in self.site.faults.items() if number}

    def judge(self) -> dict[str, Verdict]:
        """Return the verdict of each device now, by hardware id."""
        self.site.is_changed = True
        self.site.roll_up(self.read_moment().monotonic_ms)
        names = self.site.columns.inventory.hardware_ids.to_pylist()
        return {name: list(Verdict)[code] for name, code in zip(names, self.site.verdicts, strict=True)}

    def read_column(self, name: SampleName) -> dict[str, int]:
        """Return what is known of a field, by hardware id."""
        row = self.site.columns.values[FIELD_INDEX[name]].tolist()
        names = self.site.columns.inventory.hardware_ids.to_pylist()
        return {hardware_id: value for hardware_id, value in zip(names, row, strict=True) if value != MISSING}
