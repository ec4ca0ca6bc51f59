"""The agent whole: over real HTTP, with a real engine in a process of its own, killed in every way."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette

from keisan.agent.challenge import ChallengeDesk
from keisan.agent.door import DoorSettings
from keisan.agent.folder import prepare_folder
from keisan.agent.frame_desk import FrameDesk, FrameDraft
from keisan.agent.frame_number import FrameNumbers
from keisan.agent.identity import load_identity
from keisan.agent.inventory import InventoryFile
from keisan.agent.loop import Talk, run_agent
from keisan.agent.settings import AgentSettings
from keisan.agent.site_link import AGENT_HEADER, FRAME_PATH, INVENTORY_PATH, NODE_HEADER, REPORT_PATH
from keisan.agent.state import load_state
from keisan.agent.supervisor import Supervisor
from keisan.agent.telemetry import build_values
from keisan.devices.base import DeviceSample
from keisan.domain.errors import SettingsInvalid, StateConflict, Unauthenticated
from keisan.domain.frame import FrameOutcome
from keisan.domain.key import Secret
from keisan.domain.replica import ReplicaState
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from keisan.executors.local import LocalExecutor
from keisan.kit.clock import SystemClock, to_milliseconds
from keisan.wire.door import DoorOrder
from keisan.wire.site import SiteOrders, SiteReport
from tests.agent.many_hosts import describe_host
from tests.agent.real_site import READY_DEADLINE_S, RealSite
from tests.agent.site_fakes import REPLICA_ID, build_order, build_site
from tests.agent.site_process import build_adapters, build_settings
from tests.agent.small_platform import MACHINE_ID, SITE_ID, SmallPlatform
from tests.deadline import wait_until, wait_until_async

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def run_agent_here(settings: AgentSettings) -> AsyncIterator[None]:
    """Run an agent in this process; it is told to stop at the end."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_agent(settings, build_adapters(), SystemClock(), stop))
        yield
        stop.set()


async def test_it_sends_what_its_devices_measure(platform: SmallPlatform, tmp_path: Path) -> None:
    async with run_agent_here(build_settings(platform.url, tmp_path / "site")):
        await wait_until_async(lambda: bool(platform.frames), "a frame arrives after the inventory it counts by")
    [inventory] = platform.inventories
    head, device_count = platform.frames[0]
    assert (head.incarnation, head.period_ms) == (inventory.head.incarnation, 1000)
    assert inventory.device_count == device_count == len(platform.reports[0].devices)


@dataclass
class HeldListener:
    """Takes the routes, and nobody comes but the test."""

    routes: asyncio.Queue[Starlette] = field(default_factory=lambda: asyncio.Queue(maxsize=1))
    is_over: bool = False

    async def serve(self, routes: Starlette, stop: asyncio.Event) -> None:
        self.routes.put_nowait(routes)
        await stop.wait()
        self.is_over = True


async def test_it_tells_what_other_nodes_tell_it(platform: SmallPlatform, tmp_path: Path) -> None:
    listener, stop = HeldListener(), asyncio.Event()
    settings = replace(build_settings(platform.url, tmp_path / "site"), nodes_secret=Secret("s" * 32))
    adapters = replace(build_adapters(), node_listener=listener)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(run_agent(settings, adapters, SystemClock(), stop))
        transport = httpx.ASGITransport(await listener.routes.get())
        headers = {"authorization": "Bearer " + "s" * 32, NODE_HEADER: "n1", AGENT_HEADER: str(UUID(int=1))}
        async with httpx.AsyncClient(transport=transport, base_url="http://site", headers=headers) as client:
            host = describe_host("n1", "d1")
            assert (await client.post(REPORT_PATH, content=host.model_dump_json())).is_success
            inventory = InventoryFile(tmp_path / "inventory.json")
            inventory.follow(host.devices)
            assert (await client.post(INVENTORY_PATH, content=inventory.write())).is_success
            desk = FrameDesk(inventory, FrameNumbers(tmp_path / "frames.json", SystemClock()))
            late = FrameDraft(build_values({"d1": 0}, host.devices, {}), 0, 1000)
            frames: list[bytes] = []
            for clock_mhz, age_s in ((6, 20), (7, 0)):
                values = build_values(
                    {"d1": 0}, host.devices, {"d1": DeviceSample("d1", {SampleName.CLOCK_MHZ: clock_mhz})}
                )
                at_ms = to_milliseconds(SystemClock().now()) - age_s * 1000
                frames += desk.write(replace(late, values=values, sampled_at_ms=at_ms))
            for frame in reversed(frames):
                assert (await client.post(FRAME_PATH, content=frame)).is_success
        await wait_until_async(
            lambda: any(outcome is FrameOutcome.LATE for _, outcome in platform.live.taken), "what came late is history"
        )
        assert platform.live.read_column(SampleName.CLOCK_MHZ)["d1"] == 7
        stop.set()
    assert listener.is_over
    last = platform.reports[-1]
    assert [node.hardware_id for node in last.nodes] == [last.nodes[0].hardware_id, "n1"]
    assert {device.hardware_id for device in last.devices} > {"d1"}


@pytest.mark.parametrize("periods_s", [(1.0, 60.0), (60.0, 1.0, 30.0)])
async def test_another_period_leaves_its_site_live(
    platform: SmallPlatform, tmp_path: Path, periods_s: tuple[float, ...]
) -> None:
    settings = build_settings(platform.url, tmp_path / "site")
    for period_s in periods_s:
        platform.live.taken.clear()
        async with run_agent_here(replace(settings, sample_period_s=period_s)):
            await wait_until_async(lambda: bool(platform.live.taken), "a frame arrives")
        # The very first, and under the inventory that was there before.
        assert platform.live.taken[0][1] is FrameOutcome.LIVE
        assert platform.live.site.columns.period_ms == period_s * 1000
    assert len(platform.inventories) == 1


async def test_what_a_cut_held_back_arrives_after_a_restart(platform: SmallPlatform, tmp_path: Path) -> None:
    settings, backlog = build_settings(platform.url, tmp_path / "site"), tmp_path / "site" / "backlog"
    async with run_agent_here(settings):
        await wait_until_async(lambda: bool(platform.frames), "a frame arrives")
        platform.refusal = 503
        await wait_until_async(
            lambda: len(list(backlog.glob("*.frame"))) >= 2, "frames are held back", READY_DEADLINE_S
        )
    platform.refusal = None
    held = len(list(backlog.glob("*.frame")))
    platform.live.taken.clear()
    async with run_agent_here(settings):
        await wait_until_async(lambda: not list(backlog.glob("*.frame")), "they are sent", READY_DEADLINE_S)
    outcomes = [outcome for _, outcome in platform.live.taken]
    # The newest went first.
    assert outcomes[0] is FrameOutcome.LIVE
    assert outcomes.count(FrameOutcome.LATE) == held >= 2


async def test_it_joins_once_and_reports_its_devices(platform: SmallPlatform, tmp_path: Path) -> None:
    settings = build_settings(platform.url, tmp_path / "site")
    for _ in range(2):
        platform.reports.clear()
        async with run_agent_here(settings):
            await wait_until_async(lambda: bool(platform.reports), "it reports")
        settings = replace(settings, join_token=None)
    assert len(platform.joined) == 1
    report = platform.reports[-1]
    assert [device.node_hardware_id for device in report.devices] == [report.nodes[0].hardware_id]
    assert list(report.engines) == ["llama_cpp"]
    identity = load_identity(tmp_path / "site" / "identity.json")
    assert (identity.machine_id, identity.site_id, identity.agent_id) == (MACHINE_ID, SITE_ID, report.agent_id)


async def test_it_waits_for_a_platform_that_is_not_there_yet(platform: SmallPlatform, tmp_path: Path) -> None:
    platform.stop()
    async with run_agent_here(build_settings(platform.url, tmp_path / "site")):
        await wait_until_async((tmp_path / "site" / "identity.json").exists, "it has an identity")
        platform.start()
        await wait_until_async(lambda: bool(platform.reports), "it reports")


async def test_join_repeated_after_a_crash_is_the_same_machine(platform: SmallPlatform, tmp_path: Path) -> None:
    settings = build_settings(platform.url, tmp_path / "site")
    load_identity(prepare_folder(settings.data_directory).identity_path)
    async with run_agent_here(settings):
        # A report shows that the answer to the join is kept; that the platform has heard the join does not.
        await wait_until_async(lambda: bool(platform.reports), "it joins and reports")
    kept = load_identity(tmp_path / "site" / "identity.json")
    assert {join.secret_digest for join in platform.joined} == {platform.joined[0].secret_digest}
    assert kept.machine_id == MACHINE_ID


async def test_whom_its_door_lets_in_is_told_at_once(platform: SmallPlatform, tmp_path: Path) -> None:
    settings = build_settings(platform.url, tmp_path / "site")
    digest, path = "ab" * 32, tmp_path / "site" / "door.json"
    # By the clock alone the next report would come too late for this test.
    platform.door, platform.period_s = DoorOrder(digests=(digest,)), 60.0
    async with run_agent_here(replace(settings, door=DoorSettings("door.example", 8090, is_tls=True))):
        await wait_until_async(lambda: len(platform.reports) == 2, "it reports again")
    first, second = (report.door for report in platform.reports)
    assert first is not None
    assert second is not None
    assert (first.host, first.digests, second.digests) == ("door.example", (), (digest,))
    assert json.loads(path.read_text()) == {"digests": [digest], "replicas": {}}
    # A site that has no door any more lets nobody in.
    platform.reports.clear()
    async with run_agent_here(settings):
        await wait_until_async(lambda: bool(platform.reports), "it reports")
    assert (platform.reports[0].door, path.exists()) == (None, False)


@dataclass
class LookingLink:
    """A platform that orders a replica, and looks at the door's file whenever it is reported to."""

    door_path: Path
    seen: list[tuple[ReplicaState, bool]] = field(default_factory=list)

    async def report(self, body: SiteReport) -> SiteOrders:
        replicas = json.loads(self.door_path.read_text())["replicas"]
        self.seen += [(entry.state, str(entry.replica_id) in replicas) for entry in body.replicas]
        return SiteOrders(orders=(build_order(),), next_report_s=1.0)


async def test_way_to_a_replica_is_open_before_anybody_is_told_of_it(tmp_path: Path) -> None:
    door = DoorSettings("door.example", 8090, is_tls=False)
    site = build_site(tmp_path / "site", AgentSettings("http://127.0.0.1:1", tmp_path / "site", "m", door=door))
    supervisor, link = Supervisor(site.workplace), LookingLink(site.workplace.folder.door_path)
    identity = replace(load_identity(site.workplace.folder.identity_path), machine_id=MACHINE_ID)
    desk = ChallengeDesk((), link, site.clock)  # type: ignore[arg-type]  # it is given no orders
    talk = Talk(site.workplace, supervisor, (link, desk), identity)  # type: ignore[arg-type]  # all of a link that is used here
    async with asyncio.TaskGroup() as group:
        supervisor.start(group)
        desk.start(group)
        talking = group.create_task(talk.run())
        while not any(state is ReplicaState.READY for state, _ in link.seen):
            await site.clock.advance(0.5)
            await asyncio.sleep(0.001)
        talking.cancel()
        await supervisor.leave()
    assert all(is_open for state, is_open in link.seen if state is ReplicaState.READY)


async def test_refused_reports_are_tried_again(platform: SmallPlatform, tmp_path: Path) -> None:
    async with run_agent_here(build_settings(platform.url, tmp_path / "site")):
        await wait_until_async(lambda: bool(platform.reports), "it reports")
        platform.refusal = 401
        await wait_until_async(lambda: platform.refused_count >= 3, "it goes on asking")
        platform.reports.clear()
        platform.refusal = None
        await wait_until_async(lambda: bool(platform.reports), "it reports again")


@pytest.mark.parametrize(("token", "kind"), [(Secret("other"), Unauthenticated), (None, SettingsInvalid)])
async def test_join_that_can_never_pass_ends_it(
    platform: SmallPlatform, tmp_path: Path, token: Secret | None, kind: type[Exception]
) -> None:
    settings = replace(build_settings(platform.url, tmp_path / "site"), join_token=token)
    with pytest.raises(kind):
        await run_agent(settings, build_adapters(), SystemClock(), asyncio.Event())


async def test_second_agent_in_the_folder_is_refused(platform: SmallPlatform, tmp_path: Path) -> None:
    settings = build_settings(platform.url, tmp_path / "site")
    async with run_agent_here(settings):
        await wait_until_async(lambda: bool(platform.reports), "the first reports")
        with pytest.raises(StateConflict, match="another agent"):
            await run_agent(settings, build_adapters(), SystemClock(), asyncio.Event())


async def test_long_directory_is_refused(platform: SmallPlatform, tmp_path: Path) -> None:
    settings = build_settings(platform.url, tmp_path / ("x" * 100))
    with pytest.raises(SettingsInvalid, match="sockets"):
        await run_agent(settings, build_adapters(), SystemClock(), asyncio.Event())


@contextmanager
def run_agent_process(platform: SmallPlatform, directory: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run an agent in a process of its own; it is asked to end, and must."""
    command = (sys.executable, "-m", "tests.agent.site_process", platform.url, str(directory), *options)
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_a_full_disk_stops_no_frame(platform: SmallPlatform, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    with run_agent_process(platform, folder):
        wait_until(lambda: bool(platform.frames), "a frame arrives", READY_DEADLINE_S)
    # Nothing of what frames need is on the disk, and nothing can be put there.
    for name in ("inventory.json", "frames.json", "devices.json"):
        (folder / name).unlink()
    platform.frames.clear()
    with run_agent_process(platform, folder, "--full-disk"):
        wait_until(lambda: len(platform.frames) >= 2, "frames arrive", READY_DEADLINE_S)
        assert not (folder / "inventory.json").exists()
        platform.refusal = 503
        wait_until(lambda: platform.refused_frames >= 2, "it is cut off", READY_DEADLINE_S)
        platform.refusal = None
        platform.live.taken.clear()
        wait_until(
            lambda: FrameOutcome.LATE in {each for _, each in platform.live.taken},
            "what was held back arrives",
            READY_DEADLINE_S,
        )
    platform.frames.clear()
    with run_agent_process(platform, folder):
        wait_until(lambda: bool(platform.frames), "a frame arrives", READY_DEADLINE_S)
        wait_until((folder / "inventory.json").exists, "there is room again", READY_DEADLINE_S)


def test_drivers_that_hang_or_raise_stop_no_frame_and_no_report(platform: SmallPlatform, tmp_path: Path) -> None:
    with run_agent_process(platform, tmp_path / "site", "--bad-drivers"):
        wait_until(lambda: len(platform.frames) >= 4, "frames arrive", READY_DEADLINE_S)
        [cpu] = [name for name in platform.live.judge() if name.startswith("cpu-")]
        wait_until(lambda: platform.live.judge()[cpu] is Verdict.OK, "what can be read is well", READY_DEADLINE_S)
        others = {name: verdict for name, verdict in platform.live.judge().items() if name != cpu}
        assert others == dict.fromkeys(("hangs", "raises", "exits"), Verdict.UNKNOWN)
        reports = len(platform.reports)
        wait_until(lambda: len(platform.reports) > reports, "it reports")


def test_killed_engine_is_started_again(real_site: RealSite) -> None:
    real_site.start_agent()
    real_site.wait_for(ReplicaState.READY)
    before = real_site.find_process()
    os.kill(before.pid, signal.SIGKILL)
    wait_until(
        lambda: (
            (entry := real_site.platform.find_replica(REPLICA_ID)) is not None
            and (entry.restart_count, entry.state) == (1, ReplicaState.READY)
        ),
        "it is ready again",
        READY_DEADLINE_S,
    )
    assert real_site.find_process() != before
    wait_until(lambda: asyncio.run(real_site.probe()) is Verdict.OK, "it answers")


def test_engine_outlives_its_killed_agent_and_is_adopted(real_site: RealSite) -> None:
    real_site.start_agent()
    real_site.wait_for(ReplicaState.READY)
    before = real_site.find_process()
    real_site.end_agent(signal.SIGKILL)
    wait_until(lambda: asyncio.run(real_site.probe()) is Verdict.OK, "it answers")
    real_site.platform.reports.clear()
    real_site.start_agent()
    wait_until(lambda: bool(real_site.platform.reports), "it reports", READY_DEADLINE_S)
    # Not even the first report after the restart doubts the replica: its traffic goes on.
    assert [entry.state for entry in real_site.platform.reports[0].replicas] == [ReplicaState.READY]
    assert real_site.find_process() == before


def test_replica_is_kept_and_restarted_without_the_platform(real_site: RealSite) -> None:
    real_site.start_agent()
    real_site.wait_for(ReplicaState.READY)
    before = real_site.find_process()
    real_site.platform.stop()
    os.kill(before.pid, signal.SIGKILL)
    wait_until(
        lambda: (
            (launch := load_state(real_site.folder.state_path).records[REPLICA_ID].launch) is not None
            and launch.process != before
            and asyncio.run(real_site.probe()) is Verdict.OK
        ),
        "it is ready again",
        READY_DEADLINE_S,
    )
    during = real_site.find_process()
    real_site.platform.start()
    real_site.wait_for(ReplicaState.READY)
    assert real_site.find_process() == during


def test_stop_order_ends_the_engine(real_site: RealSite) -> None:
    real_site.start_agent()
    real_site.wait_for(ReplicaState.READY)
    process = real_site.find_process()
    real_site.platform.order_stop(REPLICA_ID)
    wait_until(
        lambda: any(
            entry.state is ReplicaState.STOPPED for report in real_site.platform.reports for entry in report.replicas
        ),
        "it is told",
    )
    assert not asyncio.run(LocalExecutor(os.environ).is_alive(process))
    assert list(real_site.folder.run.iterdir()) == []


@pytest.mark.parametrize("ends", ["stays", "ends"])
def test_engine_stays_or_ends_with_its_agent(real_site: RealSite, ends: str) -> None:
    real_site.start_agent(*(["--ends-engines"] if ends == "ends" else []))
    real_site.wait_for(ReplicaState.READY)
    process = real_site.find_process()
    real_site.end_agent(signal.SIGTERM)
    assert asyncio.run(LocalExecutor(os.environ).is_alive(process)) is (ends == "stays")
    kept = json.loads(real_site.folder.state_path.read_text())["replicas"]
    assert kept[str(REPLICA_ID)]["order"]["action"] == "run"


def test_wrong_weights_are_never_served(real_site: RealSite) -> None:
    order = real_site.platform.orders[REPLICA_ID]
    real_site.platform.orders[REPLICA_ID] = order.model_copy(update={"weights_sha256": "0" * 64})
    real_site.start_agent()
    real_site.wait_for(ReplicaState.FAILED)
    entry = real_site.platform.find_replica(REPLICA_ID)
    assert entry is not None
    assert f"has the digest sha256:{order.weights_sha256}" in entry.message
    assert list(real_site.folder.run.iterdir()) == []
