"""Builds the site's agent from settings, and names the adapters a site has."""

import asyncio
import os

from keisan.agent.door import DoorSettings
from keisan.agent.loop import run_agent
from keisan.agent.settings import AgentAdapters, AgentSettings
from keisan.daemon.gateway import read_join_token
from keisan.daemon.serving import announce_ready
from keisan.daemon.settings import Settings, SiteSettings
from keisan.devices.benchmark_numpy import NumpyBenchmark
from keisan.devices.benchmark_torch import TorchBenchmark
from keisan.devices.cpu import CpuDriver
from keisan.engines.llama_cpp import LlamaCpp
from keisan.executors.local import LocalExecutor
from keisan.kit.clock import SystemClock
from keisan.weights.package import PackageSource
from keisan.weights.path import PathSource

ENGINES = (LlamaCpp(),)
DEVICES = (CpuDriver(),)
BENCHMARKS = (NumpyBenchmark(), TorchBenchmark())


def build_adapters() -> AgentAdapters:
    """Return the adapters of this release; installers of weights and engines get this process's environment."""
    sources = (PathSource(), PackageSource(os.environ))
    return AgentAdapters(
        engines={engine.name: engine for engine in ENGINES},
        weights={source.scheme: source for source in sources},
        devices={driver.name: driver for driver in DEVICES},
        executor=LocalExecutor(os.environ),
        benchmarks=BENCHMARKS,
    )


def build_door(own: SiteSettings) -> DoorSettings | None:
    """Return what the agent tells of the site's door, None for a site without one."""
    address = own.door_address
    return None if address is None else DoorSettings(address.host, address.port, own.is_door_tls, own.door_ca_path)


async def serve_site(settings: Settings, stop: asyncio.Event) -> None:
    """Run the agent until `stop` is set; raises as run_agent does."""
    own = settings.site
    told = AgentSettings(
        platform_url=own.platform_url,
        data_directory=settings.data_directory / "site",
        machine_name=own.name,
        join_token=read_join_token(own.join_token_path),
        ca_path=str(own.ca_path) if own.ca_path else None,
        door=build_door(own),
        is_stopping_replicas_on_exit=own.stop_replicas_on_exit,
    )
    announce_ready(name=own.name)
    await run_agent(told, build_adapters(), SystemClock(), stop)
