"""A node's agent whole, against a site's desk over real HTTP: tells its devices, sends frames, and outlives its site."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from keisan.agent.host_book import HostBook
from keisan.agent.inventory import InventoryFile
from keisan.agent.node_desk import NodeDesk
from keisan.agent.node_loop import NodeAgentSettings, identify_node, run_node
from keisan.agent.node_route import build_routes
from keisan.daemon.listener import bind_listener
from keisan.daemon.node import UvicornNodeListener
from keisan.daemon.settings import SiteNodesSettings
from keisan.daemon.settings_address import Address
from keisan.devices.base import DeviceDriver, DeviceSample
from keisan.devices.node import derive_hardware_id, read_node
from keisan.domain.device import REMOTE_FACT
from keisan.domain.key import Secret
from keisan.domain.sample import FIELD_INDEX, SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import SystemClock
from keisan.kit.retry import Backoff
from keisan.telemetry.node_rows import begin_values
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport
from tests.agent.many_hosts import OWN_NODE
from tests.agent.test_inventory import report
from tests.deadline import wait_until_async
from tests.ports import find_free_port

SECRET = Secret("s" * 32)


class Driver:
    """Has one device, whose clock is 7."""

    name = "test"

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        return (report("d1").model_copy(update={"node_hardware_id": node.hardware_id}),)

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        assert is_dear in (True, False)
        return (DeviceSample("d1", {SampleName.HEALTH: 0, SampleName.CLOCK_MHZ: 7}),)


@asynccontextmanager
async def listen(desk: NodeDesk, secret_path: Path, port: int) -> AsyncIterator[int]:
    """Serve a desk; yields the port."""
    own = SiteNodesSettings(listen=Address("127.0.0.1", port), secret_path=secret_path)
    listener, stop = bind_listener(own.listen), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(UvicornNodeListener(own, listener, SystemClock()).serve(build_routes(desk, SECRET), stop))
        yield listener.getsockname()[1]
        stop.set()
    listener.close()


@asynccontextmanager
async def run_here(settings: NodeAgentSettings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    drivers: Mapping[str, DeviceDriver] = {"test": Driver()}
    async with asyncio.TaskGroup() as group:
        group.create_task(run_node(settings, drivers, SystemClock(), stop))
        yield
        stop.set()


def build_settings(root: Path) -> NodeAgentSettings:
    """Return settings of a node in a hurry, whose site is nowhere."""
    return NodeAgentSettings(
        "http://127.0.0.1:1",
        SECRET,
        root / "node",
        machine_id="some host",
        sample_period_s=1.0,
        site_backoff=Backoff(first_s=0.01, most_s=0.1),
    )


async def wait_for_clock(desk: NodeDesk, path: Path) -> None:
    """Wait until the device's clock would be in the site's next frame."""
    inventory = InventoryFile(path)

    def is_told() -> bool:
        inventory.follow(desk.list_devices(()))
        values = begin_values(len(inventory.rows))
        desk.fill(values, inventory.rows, SystemClock().monotonic_s())
        return int(values[FIELD_INDEX[SampleName.CLOCK_MHZ]].max(initial=-1)) == 7

    await wait_until_async(is_told, "its device is told")


async def test_a_site_that_starts_again_hears_its_node_again(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET.reveal())
    port = find_free_port()
    async with asyncio.timeout(60):
        for start in ("first", "second"):
            # The second knows nothing of the first: its disk was lost.
            folder = tmp_path / start
            folder.mkdir()
            desk = NodeDesk(HostBook(folder / "nodes.json", OWN_NODE), OWN_NODE, SystemClock())
            async with listen(desk, tmp_path / "secret", port):
                settings = replace(build_settings(tmp_path), site_url=f"http://127.0.0.1:{port}")
                async with run_here(settings):
                    await wait_for_clock(desk, folder / "inventory.json")
                [device] = desk.list_devices(())
                assert device.node_hardware_id == derive_hardware_id("some host")
                assert (device.verdict, REMOTE_FACT in device.facts) == (Verdict.OK, True)


async def test_a_node_waits_for_a_site_that_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(60), run_here(build_settings(tmp_path)):
        await wait_until_async(
            lambda: "site.unreachable" in [record.message for record in caplog.records], "it says that nobody answers"
        )
        await wait_until_async(lambda: any((tmp_path / "node" / "backlog").glob("*.frame")), "a frame is held back")


def test_a_machine_id_of_its_own_stands_in_for_the_host_s() -> None:
    made = str(UUID(int=1))
    assert identify_node("", made).hardware_id == read_node(made).hardware_id
    assert identify_node("x", made) == read_node(made).model_copy(update={"hardware_id": derive_hardware_id("x")})
