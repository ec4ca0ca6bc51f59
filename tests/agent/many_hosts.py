"""A site of many hosts in memory: nodes with disks of their own, the site's desk, and a platform that keeps the real rules."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from keisan.agent.backlog import FrameBacklog
from keisan.agent.frame_desk import FrameDesk, FrameDraft
from keisan.agent.frame_feed import FrameFeed
from keisan.agent.frame_number import FrameNumbers
from keisan.agent.host_book import HostBook, Sender
from keisan.agent.inventory import InventoryFile
from keisan.agent.node_desk import NodeDesk
from keisan.agent.telemetry import FrameWriter, build_values
from keisan.devices.base import DeviceSample
from keisan.domain.errors import KeisanError, PlatformUnreachable, Postponed
from keisan.domain.frame import FrameOutcome
from keisan.domain.sample import SampleName
from keisan.kit.clock import to_milliseconds
from keisan.wire.device import DeviceReport
from keisan.wire.node import HostReport, NodeReport
from tests.agent.frame_agent import number_device
from tests.agent.live_platform import LivePlatform
from tests.agent.test_inventory import report
from tests.factories import FixedClock

Answer = TypeVar("Answer")
OWN_NODE = "site-node"
PERIOD_S = 10.0
CLOCK = SampleName.CLOCK_MHZ


def describe_node(hardware_id: str) -> NodeReport:
    return NodeReport(
        hardware_id=hardware_id, hostname=f"host-{hardware_id}", boot_id="boot", cpu_count=2, memory_bytes=10**9
    )


def describe_devices(node: str, *hardware_ids: str) -> tuple[DeviceReport, ...]:
    return tuple(report(each).model_copy(update={"node_hardware_id": node}) for each in hardware_ids)


def describe_host(node: str, *hardware_ids: str, agent: int = 1) -> HostReport:
    return HostReport(agent_id=UUID(int=agent), node=describe_node(node), devices=describe_devices(node, *hardware_ids))


@dataclass
class Way:
    """A node's way to the site's desk; `fault` is raised instead."""

    desk: NodeDesk
    sender: Sender
    fault: KeisanError | None = None

    async def send_inventory(self, body: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        self._ask(lambda: self.desk.take_inventory(self.sender, body))

    async def send_frame(self, body: bytes) -> FrameOutcome:
        if self.fault is not None:
            raise self.fault
        return self._ask(lambda: self.desk.take_frame(self.sender, body))

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except Postponed as fault:
            # What 429 is to whoever is answered so.
            raise PlatformUnreachable(fault.outside) from fault


class SiteWorld:
    """The site's agent, whose own node has the device d0."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FixedClock()
        self.platform = LivePlatform(self.clock)
        self.hosts = HostBook(folder / "nodes.json", OWN_NODE)
        self.desk = NodeDesk(self.hosts, OWN_NODE, self.clock)
        self.inventory = InventoryFile(folder / "inventory.json")
        self.frames = FrameDesk(self.inventory, FrameNumbers(folder / "frames.json", self.clock))
        self.writer = FrameWriter({}, self.inventory, self.clock, PERIOD_S, nodes=self.desk)
        self.feed = FrameFeed(self.platform, self.inventory.write, self.frames, FrameBacklog(folder / "backlog"))

    async def step(self) -> bool:
        """Send the site's frame, as FrameRun.send does, and let a period pass."""
        draft = await self.writer.read(self.desk.list_devices(describe_devices(OWN_NODE, "d0")))
        for late in self.writer.take_late():
            for frame in self.frames.write(late):
                self.feed.hold(frame)
        is_taken = await self.feed.deliver(*self.frames.write(draft))
        await self.clock.sleep(PERIOD_S)
        return is_taken


@dataclass
class NodeWorld:
    """A node; in its frames each device's clock is a number that only it has."""

    site: SiteWorld
    name: str
    devices: tuple[str, ...]
    agent: int
    clock_ahead_ms: int = 0
    inventory: InventoryFile = field(init=False)
    frames: FrameDesk = field(init=False)
    feed: FrameFeed = field(init=False)
    way: Way = field(init=False)

    def __post_init__(self) -> None:
        folder = self.site.folder / f"agent-{self.agent}"
        folder.mkdir(exist_ok=True)
        self.way = Way(self.site.desk, Sender(self.name, UUID(int=self.agent)))
        self.inventory = InventoryFile(folder / "inventory.json")
        self.frames = FrameDesk(self.inventory, FrameNumbers(folder / "frames.json", self.site.clock))
        self.feed = FrameFeed(self.way, self.inventory.write, self.frames, FrameBacklog(folder / "backlog"))

    def report(self) -> None:
        self.site.desk.take_report(describe_host(self.name, *self.devices, agent=self.agent))

    def write(self) -> tuple[bytes, ...]:
        """Return a frame of all devices."""
        reports = describe_devices(self.name, *self.devices)
        self.inventory.follow(reports)
        samples = {each: DeviceSample(each, {CLOCK: number_device(each)}) for each in self.devices}
        values = build_values(self.inventory.numbers, reports, samples)
        sampled_at_ms = to_milliseconds(self.site.clock.now()) + self.clock_ahead_ms
        return self.frames.write(FrameDraft(values, sampled_at_ms, round(PERIOD_S * 1000)))

    async def send(self) -> bool:
        """Send a frame of all devices."""
        return await self.feed.deliver(*self.write())
