"""A real agent as a process of its own: `python -m tests.agent.site_process URL DIRECTORY [OPTION ...]`.

Options are --ends-engines, --full-disk and --bad-drivers.
"""

import asyncio
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from keisan.agent.loop import run_agent
from keisan.agent.settings import AgentAdapters, AgentSettings
from keisan.devices.base import DeviceSample
from keisan.devices.cpu import CpuDriver
from keisan.domain.key import Secret
from keisan.domain.verdict import Verdict
from keisan.engines import llama_cpp
from keisan.executors.local import LocalExecutor
from keisan.kit.clock import SystemClock
from keisan.kit.observe import start_logs
from keisan.kit.retry import Backoff
from keisan.weights.package import PackageSource
from keisan.weights.path import PathSource
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport
from tests.agent.small_platform import JOIN_TOKEN


def build_settings(url: str, directory: Path, *, is_ending_engines: bool = False) -> AgentSettings:
    """Return settings of an agent that joins the small platform and is in a hurry."""
    return AgentSettings(
        platform_url=url,
        data_directory=directory,
        machine_name="site under test",
        join_token=Secret(JOIN_TOKEN),
        is_stopping_replicas_on_exit=is_ending_engines,
        probe_period_s=0.1,
        sample_period_s=1.0,
        platform_backoff=Backoff(first_s=0.05, most_s=0.2),
    )


def build_adapters() -> AgentAdapters:
    """Return the real adapters."""
    return AgentAdapters(
        engines={"llama_cpp": llama_cpp.LlamaCpp()},
        weights={"path": PathSource(), "package": PackageSource(os.environ)},
        devices={"cpu": CpuDriver()},
        executor=LocalExecutor(os.environ),
    )


class BadDriver:
    """Has a device each, and then does `act`: hangs, or breaks its contract."""

    def __init__(self, name: str, act: Callable[[], object]) -> None:
        self.name = name
        self._act = act
        self._is_known = False

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        if self._is_known:
            self._act()
        self._is_known = True
        device = DeviceReport(
            hardware_id=self.name,
            node_hardware_id=node.hardware_id,
            chip="unknown",
            name=self.name,
            memory_bytes=0,
            verdict=Verdict.OK,
        )
        return (device,)

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        self._act()
        raise AssertionError(is_dear)


def hang() -> None:
    threading.Event().wait()


def build_bad_drivers() -> dict[str, BadDriver]:
    """Return one that hangs, one that raises what nobody knows, and one that wants to end the process."""
    acts = {"hangs": hang, "raises": lambda: int("nothing"), "exits": sys.exit}
    return {name: BadDriver(name, act) for name, act in acts.items()}


async def serve(settings: AgentSettings, adapters: AgentAdapters) -> None:
    """Run the agent until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_agent(settings, adapters, SystemClock(), stop)


def run() -> None:
    """Run the agent that the command line describes."""
    start_logs("site")
    # A host that stands still is no engine that does.
    llama_cpp.PROBE_TIMEOUT_S = 30.0
    settings = build_settings(sys.argv[1], Path(sys.argv[2]), is_ending_engines="--ends-engines" in sys.argv)
    adapters = build_adapters()
    if "--bad-drivers" in sys.argv:
        adapters = replace(adapters, devices={**adapters.devices, **build_bad_drivers()})
    if "--full-disk" in sys.argv:
        # Files can be opened, and hold nothing: what a full disk does, by the kernel's own hand.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    asyncio.run(serve(settings, adapters))


if __name__ == "__main__":
    run()
