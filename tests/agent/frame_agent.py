"""An agent's way of frames, from what was read to what is sent, on a disk of its own and without drivers."""

from pathlib import Path

from keisan.agent.backlog import FrameBacklog
from keisan.agent.frame_desk import FrameDesk, FrameDraft
from keisan.agent.frame_feed import FrameFeed
from keisan.agent.frame_number import FrameNumbers
from keisan.agent.inventory import InventoryFile
from keisan.agent.telemetry import build_values
from keisan.devices.base import DeviceSample
from keisan.domain.sample import SampleName
from keisan.kit.clock import to_milliseconds
from tests.agent.live_platform import LivePlatform
from tests.agent.test_inventory import report
from tests.factories import FixedClock

CLOCK = SampleName.CLOCK_MHZ


class Agent:
    """An agent on a disk of its own, before a platform that keeps the real rules."""

    def __init__(self, folder: Path, clock: FixedClock, platform: LivePlatform, period_s: float = 10) -> None:
        self.clock = clock
        self.period_s = period_s
        self.inventory = InventoryFile(folder / "inventory.json")
        self.desk = FrameDesk(self.inventory, FrameNumbers(folder / "frames.json", clock))
        self.feed = FrameFeed(platform, self.inventory.write, self.desk, FrameBacklog(folder / "backlog"))

    def read(self, *hardware_ids: str) -> tuple[bytes, ...]:
        """Return a frame in which each device's clock is a number that only it has."""
        self.inventory.follow(report(hardware_id) for hardware_id in hardware_ids)
        samples = {each: DeviceSample(each, {CLOCK: number_device(each)}) for each in hardware_ids}
        reports = tuple(report(each) for each in hardware_ids)
        values = build_values(self.inventory.numbers, reports, samples)
        return self.desk.write(FrameDraft(values, to_milliseconds(self.clock.now()), round(self.period_s * 1000)))

    async def step(self, *hardware_ids: str) -> bool:
        """Send a frame, and let a period pass."""
        is_taken = await self.feed.deliver(*self.read(*hardware_ids))
        await self.clock.sleep(self.period_s)
        return is_taken


def number_device(hardware_id: str) -> int:
    """Return a number that no other device of these tests has."""
    return int(hardware_id[1:]) if hardware_id[1:] else 10_000 + ord(hardware_id)
