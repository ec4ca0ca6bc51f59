"""The agent of one node of a site of many: reads its devices, and tells the site's agent what they are and measure.

It starts nothing and speaks to no platform.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

from keisan.agent.backlog import BACKLOG_BYTES_MAX, FrameBacklog
from keisan.agent.device import DeviceBook
from keisan.agent.folder import AgentFolder, lock_folder, prepare_folder
from keisan.agent.frame_desk import FrameDesk
from keisan.agent.frame_feed import FrameFeed
from keisan.agent.frame_number import FrameNumbers
from keisan.agent.identity import load_identity
from keisan.agent.inventory import InventoryFile
from keisan.agent.site_link import SiteLink
from keisan.agent.supervisor import run_guarded
from keisan.agent.telemetry import FrameRun, FrameWriter
from keisan.agent.waiting import wait_for_event
from keisan.devices.base import DRIVER_WAIT_S, DeviceDriver
from keisan.devices.node import derive_hardware_id, read_node
from keisan.domain.errors import KeisanError
from keisan.domain.key import Secret
from keisan.kit.clock import Clock
from keisan.kit.observe import write_log, write_warning
from keisan.kit.retry import Backoff
from keisan.wire.node import HostReport, NodeReport

SETTLE_S = 0.5
REPORT_PERIOD_S_MIN, REPORT_PERIOD_S_MAX = 0.05, 60.0


@dataclass(frozen=True, slots=True)
class NodeAgentSettings:
    """`secret` is the one of the site's nodes, `ca_path` the certificate file to trust at its agent.

    `machine_id` stands in for the host's own where several hosts have the same.
    """

    site_url: str
    secret: Secret
    data_directory: Path
    ca_path: str | None = None
    machine_id: str = ""
    sample_period_s: float = 10.0
    driver_wait_s: float = DRIVER_WAIT_S
    backlog_bytes_max: int = BACKLOG_BYTES_MAX
    site_backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, most_s=5.0))


async def run_node(
    settings: NodeAgentSettings, drivers: Mapping[str, DeviceDriver], clock: Clock, stop: asyncio.Event
) -> None:
    """Tell the site's agent of this host's devices until `stop` is set; what it refuses is tried again and again.

    Raises SettingsInvalid for a data directory that cannot be used, StateConflict when another agent runs in it.
    """
    folder = prepare_folder(settings.data_directory)
    with lock_folder(folder):
        identity = load_identity(folder.identity_path)
        node = identify_node(settings.machine_id, str(identity.agent_id))
        sender = (node.hardware_id, identity.agent_id)
        async with SiteLink(settings.site_url, settings.secret, settings.ca_path, sender) as link:
            devices = DeviceBook(drivers, node, folder.devices_path, asyncio.Event(), settings.driver_wait_s)
            talk = NodeTalk(settings, folder, link, clock)
            report = HostReport(agent_id=identity.agent_id, node=node, devices=())
            async with asyncio.TaskGroup() as group:
                running = group.create_task(talk.run(devices, report, drivers))
                await stop.wait()
                running.cancel()


def identify_node(machine_id: str, made_id: str) -> NodeReport:
    """Return the facts of this host, under another identity where `machine_id` gives it one."""
    node = read_node(made_id)
    return node.model_copy(update={"hardware_id": derive_hardware_id(machine_id)}) if machine_id else node


class NodeTalk:
    """The conversation with the site's agent."""

    def __init__(self, settings: NodeAgentSettings, folder: AgentFolder, link: SiteLink, clock: Clock) -> None:
        self._settings = settings
        self._folder = folder
        self._link = link
        self._clock = clock
        self._random = SystemRandom()
        self._fault_count = 0

    async def run(self, devices: DeviceBook, report: HostReport, drivers: Mapping[str, DeviceDriver]) -> None:
        """Talk until cancelled. The first report is of a whole node: its devices have been read once."""
        await devices.read()
        async with asyncio.TaskGroup() as group:
            group.create_task(devices.run(self._clock))
            group.create_task(self._send_samples(devices, drivers))
            group.create_task(self._report(devices, report))

    async def _report(self, devices: DeviceBook, report: HostReport) -> None:
        while True:
            devices.changed.clear()
            try:
                taken = await self._link.report(report.model_copy(update={"devices": devices.list_reports()}))
            except KeisanError as failure:
                await self._wait_after(failure)
                continue
            if self._fault_count:
                write_log("site.reached", after_tries=self._fault_count)
            self._fault_count = 0
            wait_s = min(max(taken.next_report_s, REPORT_PERIOD_S_MIN), REPORT_PERIOD_S_MAX)
            await wait_for_event(devices.changed, self._clock, wait_s)
            # Several drivers that find something at once are told in one report.
            await self._clock.sleep(SETTLE_S)

    async def _send_samples(self, devices: DeviceBook, drivers: Mapping[str, DeviceDriver]) -> None:
        settings, folder, clock = self._settings, self._folder, self._clock
        inventory = InventoryFile(folder.inventory_path)
        writer = FrameWriter(drivers, inventory, clock, settings.sample_period_s)
        desk = FrameDesk(inventory, FrameNumbers(folder.frame_numbers_path, clock))
        feed = FrameFeed(self._link, inventory.write, desk, FrameBacklog(folder.backlog, settings.backlog_bytes_max))
        run = FrameRun(writer, desk, feed)
        while True:
            await run_guarded(run.run(devices.list_reports), "samples.failed")
            await clock.sleep(settings.sample_period_s)

    async def _wait_after(self, failure: KeisanError) -> None:
        self._fault_count += 1
        if self._fault_count == 1:
            write_warning("site.unreachable", code=failure.code, outside=failure.outside, inside=failure.inside)
        await self._clock.sleep(self._settings.site_backoff.compute_wait_s(self._fault_count, self._random))
