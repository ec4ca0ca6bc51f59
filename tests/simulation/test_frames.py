"""Frames of one site through everything that happens to agents, disks and platforms: no row ever takes another device's value."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from keisan.domain.errors import PlatformUnreachable, Unauthenticated
from keisan.domain.frame import FrameOutcome
from keisan.domain.verdict import Verdict
from keisan.telemetry.live import LiveFleet
from keisan.wire.inventory import encode_inventory
from tests.agent.frame_agent import CLOCK, Agent, number_device
from tests.agent.live_platform import PLACE, LivePlatform
from tests.factories import FixedClock

SEVERAL = 4


class World:
    """A site whose devices come and go, its agent's disk and copies of it, and a platform with a database."""

    def __init__(self, root: Path) -> None:
        self.clock = FixedClock()
        self.platform = LivePlatform(self.clock)
        self.disk, self.backup, self.away = (root / name for name in ("disk", "backup", "away"))
        self.disk.mkdir()
        shutil.copytree(self.disk, self.backup)
        self.stored: bytes | None = None
        self.device_count = 1
        self.missing: set[int] = set()
        self.period_s = 10.0
        self.agent = self.start()

    def start(self) -> Agent:
        # What a full disk did not take is not there after a restart.
        if self.away.exists():
            shutil.rmtree(self.disk, ignore_errors=True)
            self.away.rename(self.disk)
        return Agent(self.disk, self.clock, self.platform, self.period_s)

    async def act(self, action: str, number: int) -> None:
        if action == "send":
            for _ in range(number + 1):
                await self.agent.step(*self.list_devices())
        elif action == "restart":
            self.period_s = (1.0, 10.0, 30.0, 60.0)[number]
            self.agent = self.start()
        elif action == "clock":
            self.clock.instant = self.clock.instant.fromtimestamp(
                self.clock.instant.timestamp() + (-3000, -20, 20, 3000)[number], self.clock.instant.tzinfo
            )
        else:
            ACTIONS[action](self, number)

    def change_devices(self, number: int) -> None:
        if number == 1 and self.device_count > 1:
            self.missing ^= {self.device_count - 1}
        else:
            self.device_count += 1

    def copy_disk(self, _: int) -> None:
        if not self.away.exists():
            shutil.rmtree(self.backup)
            shutil.copytree(self.disk, self.backup)

    def put_disk_back(self, _: int) -> None:
        for folder in (self.disk, self.away):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.backup, self.disk)
        # Devices that came since may be other ones.
        self.missing |= set(range(1, self.device_count))
        self.device_count += 1
        self.agent = self.start()

    def fill_disk(self, _: int) -> None:
        if self.away.exists():
            shutil.rmtree(self.disk, ignore_errors=True)
            self.away.rename(self.disk)
        else:
            self.disk.rename(self.away)

    def cut(self, number: int) -> None:
        self.platform.fault = (None, PlatformUnreachable("cut"), Unauthenticated("revoked"), None)[number]
        self.platform.is_answer_lost = number == SEVERAL - 1

    def store(self, _: int) -> None:
        if PLACE.site_id in self.platform.fleet.sites:
            self.stored = encode_inventory(self.platform.site.columns.inventory)

    def put_database_back(self, _: int) -> None:
        fault, self.platform.fault = self.platform.fault, None
        self.platform.fleet = LiveFleet({})
        if self.stored is not None:
            self.platform.take_inventory(self.stored)
        self.platform.fault = fault

    def list_devices(self) -> list[str]:
        return [f"d{number}" for number in range(self.device_count) if number not in self.missing]

    def check_rows(self) -> None:
        if PLACE.site_id in self.platform.fleet.sites:
            for hardware_id, value in self.platform.read_column(CLOCK).items():
                assert value == number_device(hardware_id)


ACTIONS: dict[str, Callable[[World, int], None]] = {
    "change devices": World.change_devices,
    "copy disk": World.copy_disk,
    "put disk back": World.put_disk_back,
    "fill disk": World.fill_disk,
    "cut": World.cut,
    "store": World.store,
    "put database back": World.put_database_back,
}
# What has to come together for a number to be given twice is drawn more often than the rest.
OFTEN = ["send", "send", "send", "change devices", "copy disk", "put disk back"]
STEP = st.tuples(st.sampled_from([*OFTEN, "restart", "clock", *ACTIONS]), st.integers(0, SEVERAL - 1))


# Another device gets a forgotten one's number, and an agent gives the numbers of one that ran after its disk was copied.
PUT_BACK = [("send", 0), ("copy disk", 0), ("change devices", 0), ("send", 0), ("put disk back", 0), ("send", 0)]
RUN_TWICE = [("send", 0), ("copy disk", 0), ("restart", 1), ("send", 3), ("put disk back", 0)]


@example(PUT_BACK)
@example(RUN_TWICE)
@given(st.lists(STEP, min_size=10, max_size=40))
@settings(max_examples=60, deadline=None)
async def test_no_row_takes_another_s_value_and_the_site_is_live_within_three_periods(
    steps: list[tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as root:
        world = World(Path(root))
        for action, number in steps:
            await world.act(action, number)
            world.check_rows()
        world.cut(0)
        before = len(world.platform.taken)
        for _ in range(3):
            await world.agent.step(*world.list_devices())
            world.check_rows()
        verdicts = world.platform.judge()
        assert [verdicts[name] for name in world.list_devices()] == [Verdict.OK] * len(world.list_devices())
        assert FrameOutcome.LIVE in {outcome for _, outcome in world.platform.taken[before:]}
        # Nothing is refused for good, and what waits goes on its way.
        for _ in range(200):
            if world.agent.feed.waiting_frames == 0:
                break
            await world.agent.step(*world.list_devices())
        assert world.agent.feed.waiting_frames == 0
