"""What an agent is told by its daemon: settings and adapters."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from keisan.agent.backlog import BACKLOG_BYTES_MAX
from keisan.agent.door import DoorSettings
from keisan.devices.base import DRIVER_WAIT_S, Benchmark, DeviceDriver
from keisan.domain.key import Secret
from keisan.domain.supernode_plan import SupernodePlan
from keisan.engines.base import Engine
from keisan.executors.base import Executor
from keisan.kit.retry import Backoff
from keisan.weights.base import WeightsSource

if TYPE_CHECKING:
    from starlette.applications import Starlette


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """`join_token` is needed until the agent has joined once; `ca_path` is the certificate file to trust.

    With `is_stopping_replicas_on_exit` the engines end with the agent and start again with it; else they outlive it.
    `supernodes` are what the operator says of them, and `member_counts` the sizes of their templates.
    `nodes_secret` is what agents of other nodes show; without one there are none.
    """

    platform_url: str
    data_directory: Path
    machine_name: str
    join_token: Secret | None = None
    ca_path: str | None = None
    door: DoorSettings | None = None
    is_stopping_replicas_on_exit: bool = False
    probe_period_s: float = 1.0
    sample_period_s: float = 10.0
    driver_wait_s: float = DRIVER_WAIT_S
    backlog_bytes_max: int = BACKLOG_BYTES_MAX
    nodes_secret: Secret | None = None
    supernodes: tuple[SupernodePlan, ...] = ()
    member_counts: Mapping[str, int] = field(default_factory=dict)
    stop_grace_s: float = 5.0
    restart_backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.5, most_s=30.0))
    platform_backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, most_s=5.0))


class NodeListener(Protocol):
    """Serves routes for agents of other nodes, on an address that is bound already."""

    async def serve(self, routes: "Starlette", stop: asyncio.Event) -> None:
        """Answer until `stop` is set."""
        ...


@dataclass(frozen=True, slots=True)
class AgentAdapters:
    """What this site can do: engines, weight sources by scheme and device drivers by name, and its one executor.

    Of `benchmarks` the first that can does a challenge's work. `node_listener` is where agents of other nodes come in.
    """

    engines: Mapping[str, Engine]
    weights: Mapping[str, WeightsSource]
    devices: Mapping[str, DeviceDriver]
    executor: Executor
    benchmarks: tuple[Benchmark, ...] = ()
    node_listener: NodeListener | None = None
