"""Waiting until a call would be answered: children announce themselves, the site reports, replicas are ready, the gateway knows.

What the database says from an earlier start is not believed: site and gateway must have spoken since this one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from keisan.daemon.child import Child
from keisan.daemon.child_log import read_last_lines
from keisan.daemon.folder import DataFolder
from keisan.daemon.progress import Telling
from keisan.domain.deployment import DeploymentState
from keisan.domain.errors import Failed, Unavailable
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock
from keisan.sdk import AsyncKeisan, DeploymentView, ReplicaView

LOOK_S = 0.05
ASK_S = 0.25
DEATHS_MAX = 3
# A first start may have to fetch the weights over a slow line; a later one is ready in seconds or tells why not.
FIRST_WAIT_S = 3600.0
LATER_WAIT_S = 60.0
_WAITING_WORDS = {ReplicaState.ASSIGNED: "waiting for the site", ReplicaState.STARTING: "loading the weights"}


@dataclass(frozen=True, slots=True)
class Watch:
    """Who waits, for what is in `folder`, since when, how it tells, and how often it asks the platform."""

    folder: DataFolder
    since: datetime
    clock: Clock
    progress: Telling
    ask_s: float = ASK_S


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


async def wait_for_models(keisan: AsyncKeisan, children: Sequence[Child], watch: Watch, *, is_first: bool) -> str:
    """Return "" once what this site should run is ready and the gateway knows it.

    At a later start, what is not ready in time is returned in words, and the rest serves; raises Failed if a child
    keeps dying, and Unavailable if a first start is not ready within an hour.
    """
    wait_s = FIRST_WAIT_S if is_first else LATER_WAIT_S
    end_s = watch.clock.monotonic_s() + wait_s
    while True:
        for child in children:
            check_alive(child)
        pending = await find_pending(keisan, watch, is_first=is_first)
        if not pending:
            return ""
        watch.progress.tell(pending)
        if watch.clock.monotonic_s() >= end_s:
            if is_first:
                raise Unavailable(f"not ready after {wait_s:g} s: {pending}")
            return pending
        await watch.clock.sleep(watch.ask_s)


async def find_pending(keisan: AsyncKeisan, watch: Watch, *, is_first: bool) -> str:
    """Return what is waited for, in words, empty when all is ready; a later start waits for no copy without a place."""
    site_id = read_identity(watch.folder.site, "site_id")
    sites = [site async for site in keisan.sites.list() if str(site.id) == site_id]
    if not sites or sites[0].reported_at is None or sites[0].reported_at < watch.since:
        return "waiting for the site"
    names = {model.id: model.name async for model in keisan.models.list()}
    async for deployment in keisan.deployments.list():
        if deployment.state is not DeploymentState.ACTIVE or not deployment.replica_count:
            continue
        replicas = [replica async for replica in keisan.replicas.list(deployment.id)]
        own = [replica for replica in replicas if str(replica.site_id) == site_id]
        if not all(is_ready(replica) for replica in own) or (is_first and len(replicas) < deployment.replica_count):
            return describe_deployment(names.get(deployment.model_id, "a model"), deployment, replicas)
    return await _find_late_gateway(keisan, watch)


async def _find_late_gateway(keisan: AsyncKeisan, watch: Watch) -> str:
    gateways = await keisan.gateways.list()
    gateway_id = read_identity(watch.folder.gateway, "machine_id")
    for gateway in gateways.items:
        is_current = gateway.seen_at is not None and gateway.seen_at >= watch.since
        if str(gateway.id) == gateway_id and is_current and gateway.acknowledged_version >= gateways.snapshot_version:
            return ""
    return "telling the gateway"


def is_ready(replica: ReplicaView) -> bool:
    """Tell whether calls go to a replica."""
    return replica.state is ReplicaState.READY and replica.verdict is Verdict.OK


def read_identity(folder: Path, name: str) -> str | None:
    """Return an id from a machine's identity file, None before it has joined."""
    try:
        identity = json.loads((folder / "identity.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return identity.get(name) if isinstance(identity, dict) else None


def describe_deployment(name: str, deployment: DeploymentView, replicas: Sequence[ReplicaView]) -> str:
    """Return in a line what a deployment is waiting for."""
    waiting = [replica for replica in replicas if not is_ready(replica)]
    if not waiting:
        return f"placing {name}{': ' + deployment.reason if deployment.reason else ''}"
    state = waiting[0].state
    return f"{name}: {waiting[0].message or _WAITING_WORDS.get(state, state.value)}"
