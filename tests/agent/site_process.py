"""A real agent as a process of its own: `python -m tests.agent.site_process URL DIRECTORY [--ends-engines]`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from keisan.agent.loop import run_agent
from keisan.agent.settings import AgentAdapters, AgentSettings
from keisan.devices.cpu import CpuDriver
from keisan.domain.key import Secret
from keisan.engines.llama_cpp import LlamaCpp
from keisan.executors.local import LocalExecutor
from keisan.kit.clock import SystemClock
from keisan.kit.observe import start_logs
from keisan.kit.retry import Backoff
from keisan.weights.package import PackageSource
from keisan.weights.path import PathSource
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
        platform_backoff=Backoff(first_s=0.05, most_s=0.2),
    )


def build_adapters() -> AgentAdapters:
    """Return the real adapters."""
    return AgentAdapters(
        engines={"llama_cpp": LlamaCpp()},
        weights={"path": PathSource(), "package": PackageSource(os.environ)},
        devices={"cpu": CpuDriver()},
        executor=LocalExecutor(os.environ),
    )


async def serve(settings: AgentSettings) -> None:
    """Run the agent until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_agent(settings, build_adapters(), SystemClock(), stop)


if __name__ == "__main__":
    start_logs("site")
    asyncio.run(serve(build_settings(sys.argv[1], Path(sys.argv[2]), is_ending_engines="--ends-engines" in sys.argv)))
