"""Waiting until what was started answers: children announce themselves, deployments become ready, gateways follow."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from keisan.daemon.child import Child
from keisan.daemon.child_log import read_last_lines
from keisan.daemon.progress import Progress
from keisan.domain.deployment import DeploymentState
from keisan.domain.errors import Failed
from keisan.domain.replica import ReplicaState
from keisan.kit.clock import Clock
from keisan.sdk import AsyncKeisan, DeploymentView, ReplicaView

LOOK_S = 0.05
DEATHS_MAX = 3
# A first start may have to fetch the weights over a slow line.
DEPLOYMENT_WAIT_S = 3600.0
GATEWAY_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Who waits, and how it tells."""

    clock: Clock
    progress: Progress


async def wait_for_child(child: Child, watch: Watch) -> str:
    """Return the URL a child announced, empty if it named none; raises Failed if it keeps dying before."""
    watch.progress.tell(f"starting the {child.plan.name}")
    while not child.announced.is_set():
        check_alive(child)
        await watch.clock.sleep(LOOK_S)
    return str((child.announcement or {}).get("url", ""))


def check_alive(child: Child) -> None:
    """Raise Failed, with the end of its log, if a child died of its settings or three times in a row."""
    if child.deaths and (child.exit_code == 2 or child.deaths >= DEATHS_MAX):
        raise Failed(
            f"the {child.plan.name} does not start; the end of its log, {child.plan.log_path}:\n"
            f"{read_last_lines(child.plan.log_path)}"
        )


async def wait_for_models(keisan: AsyncKeisan, children: Sequence[Child], watch: Watch) -> None:
    """Return once every active deployment is ready and the gateway knows; raises Failed if a child keeps dying."""
    async with asyncio.TaskGroup() as group:
        guard = group.create_task(_guard(children, watch.clock))
        await _wait_for_deployments(keisan, watch)
        watch.progress.tell("telling the gateway")
        gateways = await keisan.gateways.list()
        await keisan.wait_for_gateways(gateways.snapshot_version, GATEWAY_WAIT_S)
        guard.cancel()


async def _guard(children: Sequence[Child], clock: Clock) -> None:
    while True:
        for child in children:
            check_alive(child)
        await clock.sleep(LOOK_S)


async def _wait_for_deployments(keisan: AsyncKeisan, watch: Watch) -> None:
    names = {model.id: model.name async for model in keisan.models.list()}
    async for deployment in keisan.deployments.list():
        if deployment.state is not DeploymentState.ACTIVE or not deployment.replica_count:
            continue
        name = names.get(deployment.model_id, "a model")

        def tell(view: DeploymentView, replicas: Sequence[ReplicaView], name: str = name) -> None:
            watch.progress.tell(describe_deployment(name, view, replicas))

        await keisan.wait_for_deployment(deployment.id, DEPLOYMENT_WAIT_S, tell)


def describe_deployment(name: str, deployment: DeploymentView, replicas: Sequence[ReplicaView]) -> str:
    """Return in a line what a deployment is waiting for."""
    waiting = [replica for replica in replicas if replica.state is not ReplicaState.READY]
    if not replicas:
        return f"placing {name}{': ' + deployment.reason if deployment.reason else ''}"
    if not waiting:
        return f"{name} is ready"
    said = waiting[0].message or {
        ReplicaState.ASSIGNED: "waiting for the site",
        ReplicaState.STARTING: "loading the weights",
    }.get(waiting[0].state, waiting[0].state.value)
    return f"{name}: {said}"
