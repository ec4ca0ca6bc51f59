"""`keisan status`: what answers, what is ready, how far the gateways are."""

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.deployment import DeploymentState
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict


async def show_status(session: Session) -> None:
    """Show the platform, its gateways, sites and replicas."""
    keisan = session.keisan
    platform = await keisan.platform.get()
    gateways = await keisan.gateways.list()
    sites = [site async for site in keisan.sites.list()]
    names = {model.id: model.name async for model in keisan.models.list()}
    deployments = [line async for line in keisan.deployments.list() if line.state is not DeploymentState.DELETED]
    replicas = [line async for line in keisan.replicas.list() if line.state is not ReplicaState.STOPPED]
    if session.output.is_json:
        lists = {"gateways": gateways.items, "sites": sites, "deployments": deployments, "replicas": replicas}
        told = {name: [view.model_dump(mode="json") for view in views] for name, views in lists.items()}
        session.output.show_json({"platform": platform.model_dump(mode="json"), **told})
        return
    show = session.output.show_text
    show(f"platform  {platform.name}  {session.target.platform_url}  snapshot {gateways.snapshot_version}")
    show(f"identity  {platform.id}")
    for gateway in gateways.items:
        word = "connected" if gateway.is_connected else "not connected"
        show(f"gateway   {gateway.id}  {word}  serves snapshot {gateway.acknowledged_version}")
    for site in sites:
        show(f"site      {site.name}  {site.region}  {site.verdict}")
    for line in deployments:
        own = [replica for replica in replicas if replica.deployment_id == line.id]
        ready = sum(replica.state is ReplicaState.READY and replica.verdict is Verdict.OK for replica in own)
        reason = f"  {line.reason}" if line.reason else ""
        name = names.get(line.model_id, str(line.model_id))
        show(f"model     {name}  {ready} of {line.replica_count} ready{reason}")


def add_commands(application: typer.Typer) -> None:
    """Add status."""
    add_command(application, "status", show_status)
