"""Builds the site's agent from settings, and names the adapters a site has."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from keisan.agent.door import DoorSettings
from keisan.agent.loop import run_agent
from keisan.agent.settings import AgentAdapters, AgentSettings
from keisan.catalog.supernode import load_supernode_templates
from keisan.daemon.device import build_drivers
from keisan.daemon.join_token import read_join_token
from keisan.daemon.listener import bind_listener
from keisan.daemon.serving import announce_ready
from keisan.daemon.settings import Settings, SiteSettings
from keisan.devices.benchmark_numpy import NumpyBenchmark
from keisan.devices.benchmark_torch import TorchBenchmark
from keisan.domain.errors import SettingsInvalid
from keisan.domain.supernode_plan import SupernodePlan, list_plan_faults
from keisan.domain.supernode_template import SupernodeTemplate
from keisan.engines.llama_cpp import LlamaCpp
from keisan.executors.local import LocalExecutor
from keisan.kit.clock import Clock, SystemClock
from keisan.weights.package import PackageSource
from keisan.weights.path import PathSource

ENGINES = (LlamaCpp(),)
BENCHMARKS = (NumpyBenchmark(), TorchBenchmark())


def build_adapters(own: SiteSettings, clock: Clock) -> AgentAdapters:
    """Return the adapters of this release; installers of weights and engines, and makers' tools, get this process's environment.

    Raises SettingsInvalid for devices to play that cannot be.
    """
    sources = (PathSource(), PackageSource(os.environ))
    return AgentAdapters(
        engines={engine.name: engine for engine in ENGINES},
        weights={source.scheme: source for source in sources},
        devices=build_drivers(os.environ, clock, own.simulated),
        executor=LocalExecutor(os.environ),
        benchmarks=BENCHMARKS,
    )


def build_door(own: SiteSettings) -> DoorSettings | None:
    """Return what the agent tells of the site's door, None for a site without one."""
    address = own.door_address
    return None if address is None else DoorSettings(address.host, address.port, own.is_door_tls, own.door_ca_path)


def build_plans(
    own: SiteSettings, templates: Mapping[str, SupernodeTemplate]
) -> tuple[tuple[SupernodePlan, ...], dict[str, int]]:
    """Return the site's supernodes and the sizes of their templates; raises SettingsInvalid for what contradicts itself."""
    plans = tuple(entry.plan for entry in own.supernode)
    if faults := [f"site.supernode.{fault}" for fault in list_plan_faults(plans, templates)]:
        raise SettingsInvalid("\n".join(faults))
    return plans, {plan.template: templates[plan.template].member_count for plan in plans if plan.template}


async def serve_site(settings: Settings, stop: asyncio.Event) -> None:
    """Run the agent until `stop` is set; raises as run_agent does, and SettingsInvalid for devices or supernodes that cannot be."""
    own = settings.site
    clock = SystemClock()
    adapters = build_adapters(own, clock)
    plans, member_counts = build_plans(own, {template.id: template for template in load_supernode_templates()})
    told = AgentSettings(
        platform_url=own.platform_url,
        data_directory=settings.data_directory / "site",
        machine_name=own.name,
        join_token=read_join_token(own.join_token_path),
        ca_path=str(own.ca_path) if own.ca_path else None,
        door=build_door(own),
        is_stopping_replicas_on_exit=own.stop_replicas_on_exit,
        supernodes=plans,
        member_counts=member_counts,
    )
    if own.nodes is None:
        announce_ready(name=own.name)
        await run_agent(told, adapters, clock, stop)
        return
    # A server of its own, which most sites have no use for.
    from keisan.daemon.node import UvicornNodeListener, read_nodes_secret

    told = replace(told, nodes_secret=read_nodes_secret(own.nodes.secret_path))
    with closing(bind_listener(own.nodes.listen)) as listener:
        listening = UvicornNodeListener(own.nodes, listener, clock)
        announce_ready(name=own.name, nodes_url=listening.url)
        await run_agent(told, replace(adapters, node_listener=listening), clock, stop)
