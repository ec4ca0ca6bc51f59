"""The agent: adopts what runs, keeps what was ordered, and tells the platform, again and again (R13).

The platform being away changes nothing but the talk: replicas are kept by the orders on disk.
"""

import asyncio
from random import SystemRandom
from uuid import UUID

from keisan.agent.backlog import FrameBacklog
from keisan.agent.challenge import ChallengeDesk
from keisan.agent.device import DeviceBook
from keisan.agent.door import DoorFile
from keisan.agent.folder import lock_folder, prepare_folder
from keisan.agent.frame_desk import FrameDesk
from keisan.agent.frame_feed import FrameFeed
from keisan.agent.frame_number import FrameNumbers
from keisan.agent.host_book import HostBook
from keisan.agent.identity import AgentIdentity, build_join, load_identity, mark_joined, save_identity
from keisan.agent.inventory import InventoryFile
from keisan.agent.keeper import Workplace
from keisan.agent.link import PlatformLink
from keisan.agent.node_desk import NodeDesk
from keisan.agent.report import build_report, drop_known_tails, list_stopped
from keisan.agent.settings import AgentAdapters, AgentSettings
from keisan.agent.supernode import SupernodePlans
from keisan.agent.supervisor import Supervisor, run_guarded
from keisan.agent.telemetry import FrameRun, FrameWriter
from keisan.agent.waiting import wait_for_event
from keisan.devices.node import read_node
from keisan.domain.errors import KeisanError, PlatformUnreachable
from keisan.kit.clock import Clock
from keisan.kit.observe import write_log, write_warning
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport
from keisan.wire.site import ReplicaReport

# Whatever the platform says, it is asked neither in a busy loop nor so rarely that it forgets us.
REPORT_PERIOD_S_MIN = 0.05
REPORT_PERIOD_S_MAX = 60.0
# Several replicas that change at once are told in one report.
SETTLE_S = 0.02


async def run_agent(settings: AgentSettings, adapters: AgentAdapters, clock: Clock, stop: asyncio.Event) -> None:
    """Serve a site until `stop` is set.

    Raises SettingsInvalid for a data directory that cannot be used or a missing join token, StateConflict when another
    agent runs in it or its state cannot be read, and what the platform says to a join that can never pass.
    """
    folder = prepare_folder(settings.data_directory)
    with lock_folder(folder):
        identity = load_identity(folder.identity_path)
        workplace = Workplace(
            settings=settings,
            adapters=adapters,
            folder=folder,
            clock=clock,
            node=read_node(str(identity.agent_id)),
            changed=asyncio.Event(),
            is_leaving=asyncio.Event(),
        )
        supervisor = Supervisor(workplace)
        await supervisor.recover()
        async with PlatformLink(settings.platform_url, identity.secret, settings.ca_path) as link:
            desk = ChallengeDesk(adapters.benchmarks, link, clock)
            await _serve(supervisor, Talk(workplace, supervisor, (link, desk), identity), stop)


async def _serve(supervisor: Supervisor, talk: "Talk", stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        supervisor.start(group)
        talk.desk.start(group)
        talking = group.create_task(talk.run())
        looking = group.create_task(talk.watch_devices())
        measuring = group.create_task(talk.send_samples())
        over = asyncio.Event()
        serving = group.create_task(talk.serve_nodes(over))
        stopping = group.create_task(stop.wait())
        await asyncio.wait((talking, stopping), return_when=asyncio.FIRST_COMPLETED)
        talking.cancel()
        looking.cancel()
        measuring.cancel()
        stopping.cancel()
        over.set()
        await asyncio.wait((serving,))
        talk.desk.leave()
        await supervisor.leave()
    if talk.refusal is not None:
        raise talk.refusal


class Talk:
    """The conversation with the platform: join once, then report and follow orders."""

    def __init__(
        self,
        workplace: Workplace,
        supervisor: Supervisor,
        link: tuple[PlatformLink, ChallengeDesk],
        identity: AgentIdentity,
    ) -> None:
        self.refusal: KeisanError | None = None
        self._place = workplace
        self._supervisor = supervisor
        self._link, self.desk = link
        self._identity = identity
        self._devices = DeviceBook(
            workplace.adapters.devices,
            workplace.node,
            workplace.folder.devices_path,
            workplace.changed,
            workplace.settings.driver_wait_s,
        )
        hosts = HostBook(workplace.folder.nodes_path, workplace.node.hardware_id)
        self.nodes = NodeDesk(hosts, workplace.node.hardware_id, workplace.clock)
        self._door = DoorFile(workplace.folder.door_path, workplace.settings.door)
        self._random = SystemRandom()
        self._acknowledged: dict[UUID, ReplicaReport] = {}
        self._fault_count = 0
        self._is_ready = asyncio.Event()

    async def run(self) -> None:
        """Talk until cancelled; returns when the platform refuses the join for good, with `refusal` set."""
        while self._identity.machine_id is None:
            try:
                await self._join()
            except PlatformUnreachable as failure:
                await self._wait_after(failure)
            except KeisanError as failure:
                self.refusal = failure
                return
        # The first report is of a whole node: its devices have been read once.
        await self._devices.read()
        self._is_ready.set()
        while True:
            try:
                period_s = await self._report()
            except KeisanError as failure:
                await self._wait_after(failure)
                continue
            if self._fault_count:
                write_log("platform.reached", after_tries=self._fault_count)
            self._fault_count = 0
            await wait_for_event(self._place.changed, self._place.clock, period_s)
            await self._place.clock.sleep(SETTLE_S)

    async def send_samples(self) -> None:
        """Send what the devices measure, from when the site is known to the platform until cancelled."""
        await self._is_ready.wait()
        place, settings = self._place, self._place.settings
        plans = SupernodePlans(
            settings.supernodes, settings.member_counts, {place.node.hostname: place.node.hardware_id}, self._list_nodes
        )
        inventory = InventoryFile(place.folder.inventory_path, plans)
        nodes = None if settings.nodes_secret is None else self.nodes
        writer = FrameWriter(place.adapters.devices, inventory, place.clock, settings.sample_period_s, nodes=nodes)
        desk = FrameDesk(inventory, FrameNumbers(place.folder.frame_numbers_path, place.clock))
        backlog = FrameBacklog(place.folder.backlog, settings.backlog_bytes_max)
        feed = FrameFeed(self._link, inventory.write, desk, backlog)
        run = FrameRun(writer, desk, feed)
        while True:
            await run_guarded(run.run(self._list_devices), "samples.failed")
            await place.clock.sleep(settings.sample_period_s)

    async def watch_devices(self) -> None:
        """Read which devices there are, again and again, until cancelled."""
        await self._devices.run(self._place.clock)

    async def serve_nodes(self, stop: asyncio.Event) -> None:
        """Answer agents of other nodes until `stop` is set, where the settings say so."""
        secret, listener = self._place.settings.nodes_secret, self._place.adapters.node_listener
        if secret is not None and listener is not None:
            # A server of its own, which most sites have no use for.
            from keisan.agent.node_route import build_routes

            await listener.serve(build_routes(self.nodes, secret), stop)

    def _list_nodes(self) -> tuple[NodeReport, ...]:
        if self._place.settings.nodes_secret is None:
            return (self._place.node,)
        return (self._place.node, *self.nodes.list_nodes())

    def _list_devices(self) -> tuple[DeviceReport, ...]:
        own = self._devices.list_reports()
        return own if self._place.settings.nodes_secret is None else self.nodes.list_devices(own)

    async def _join(self) -> None:
        settings = self._place.settings
        machine = await self._link.join(build_join(self._identity, settings.join_token, settings.machine_name))
        self._identity = mark_joined(self._identity, machine)
        save_identity(self._place.folder.identity_path, self._identity)
        self._fault_count = 0
        write_log("agent.joined", machine=machine.id, site=machine.site_id)

    async def _report(self) -> float:
        self._place.changed.clear()
        # First: who is told of a replica finds the way to it open.
        self._door.keep_replicas(self._supervisor.list_sockets())
        devices = self._list_devices()
        whole = build_report(
            self._identity.agent_id,
            self._list_nodes(),
            devices,
            self._supervisor.list_reports(),
            self._place.adapters,
        ).model_copy(update={"door": self._door.build_report(), "fences": self._supervisor.list_fences()})
        orders = await self._link.report(drop_known_tails(whole, self._acknowledged))
        # First of all: its time has begun.
        self.desk.follow(orders.challenges, devices)
        self._acknowledged = {entry.replica_id: entry for entry in whole.replicas}
        if self._door.follow(orders.door):
            # Told at once: a change of the secret waits for it.
            self._place.changed.set()
        self._supervisor.apply(orders, list_stopped(whole))
        return min(max(orders.next_report_s, REPORT_PERIOD_S_MIN), REPORT_PERIOD_S_MAX)

    async def _wait_after(self, failure: KeisanError) -> None:
        self._fault_count += 1
        if self._fault_count == 1:
            write_warning("platform.unreachable", code=failure.code, outside=failure.outside, inside=failure.inside)
        wait_s = self._place.settings.platform_backoff.compute_wait_s(self._fault_count, self._random)
        await self._place.clock.sleep(wait_s)
