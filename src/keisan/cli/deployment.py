"""`keisan deploy`: how many copies of which model run; each change shows its progress until it is so."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.model import find_model
from keisan.cli.session import Session
from keisan.domain.deployment import REPLICA_COUNT_MAX, SLOTS_MAX, DeploymentState
from keisan.domain.replica import ReplicaState
from keisan.sdk import DeploymentCreate, DeploymentView, NotFound, ReplicaView, VersionMismatch

ModelArgument = Annotated[str, typer.Argument(help="Name of the model.")]
DeploymentArgument = Annotated[
    str, typer.Argument(help="Id of the deployment, or the model's name if it has only one.")
]
CountArgument = Annotated[int, typer.Argument(help="How many copies.", min=0, max=REPLICA_COUNT_MAX)]
ReplicasOption = Annotated[int, typer.Option(help="How many copies.", min=0, max=REPLICA_COUNT_MAX)]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is so.")]
SlotsOption = Annotated[int, typer.Option(help="Calls that one copy serves at a time.", min=1, max=SLOTS_MAX)]

# The platform writes to a deployment while it places copies; what was typed is meant whatever it has written.
CHANGE_REPEATS_MAX = 4


async def list_deployments(session: Session) -> None:
    """List deployments and how many of their copies are ready."""
    names = {model.id: model.name async for model in session.keisan.models.list()}
    found = [line async for line in session.keisan.deployments.list() if line.state is not DeploymentState.DELETED]
    rows = []
    for line in found:
        replicas = [replica async for replica in session.keisan.replicas.list(line.id)]
        ready = sum(replica.state is ReplicaState.READY for replica in replicas)
        state = line.reason or line.state
        rows.append(
            (line.id, names.get(line.model_id, line.model_id), f"{ready}/{line.replica_count}", line.slots, state)
        )
    session.output.show_views(found, ("id", "model", "ready", "slots", "state"), rows)


async def create_deployment(
    session: Session,
    model: ModelArgument,
    replicas: ReplicasOption = 1,
    slots: SlotsOption = 4,
    is_waiting: WaitOption = True,
) -> None:
    """Run copies of a model."""
    chosen = await find_model(session, model)
    body = DeploymentCreate(model_id=chosen.id, engine=chosen.engines[0], replica_count=replicas, slots=slots)
    made = await session.keisan.deployments.create(body)
    await _finish(session, made, is_waiting=is_waiting)


async def scale_deployment(
    session: Session, deployment: DeploymentArgument, replicas: CountArgument, is_waiting: WaitOption = True
) -> None:
    """Change the number of copies."""
    changed = await _change(session, deployment, lambda found: session.keisan.deployments.scale(found, replicas))
    await _finish(session, changed, is_waiting=is_waiting)


async def delete_deployment(session: Session, deployment: DeploymentArgument) -> None:
    """Stop all copies and forget the deployment."""
    deleted = await _change(session, deployment, session.keisan.deployments.delete)
    session.output.show_view(deleted, f"{deleted.id} is {deleted.state}")


async def find_deployment(session: Session, wanted: str) -> DeploymentView:
    """Return a deployment by id, or by the name of a model that has only one; raises NotFound."""
    names = {model.id: model.name async for model in session.keisan.models.list()}
    live = [line async for line in session.keisan.deployments.list() if line.state is DeploymentState.ACTIVE]
    found = [line for line in live if wanted in (str(line.id), names.get(line.model_id))]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(f"'{wanted}' has several deployments; name one by its id: {_list_ids(found)}")
    raise NotFound(f"there is no deployment '{wanted}'; there are: {_list_ids(live) or 'none'}")


async def _change(
    session: Session, wanted: str, change: Callable[[DeploymentView], Awaitable[DeploymentView]]
) -> DeploymentView:
    for _ in range(CHANGE_REPEATS_MAX):
        try:
            return await change(await find_deployment(session, wanted))
        except VersionMismatch:
            continue
    return await change(await find_deployment(session, wanted))


async def _finish(session: Session, deployment: DeploymentView, *, is_waiting: bool) -> None:
    if is_waiting:
        with session.output.aside.status("placing") as status:

            def tell(view: DeploymentView, replicas: Sequence[ReplicaView]) -> None:
                status.update(describe_progress(view, replicas))

            deployment = await session.keisan.wait_for_deployment(deployment.id, on_change=tell)
    text = f"{deployment.id}: {deployment.replica_count} {'ready' if is_waiting else 'wanted'}"
    session.output.show_view(deployment, text)


def describe_progress(deployment: DeploymentView, replicas: Sequence[ReplicaView]) -> str:
    """Return in a line how far a deployment is."""
    counts = {state: sum(replica.state is state for replica in replicas) for state in ReplicaState}
    told = [f"{count} {state}" for state, count in counts.items() if count]
    messages = [replica.message for replica in replicas if replica.message]
    return "; ".join([", ".join(told) or "placing", *messages[:1], *([deployment.reason] if deployment.reason else [])])


def _list_ids(deployments: Sequence[DeploymentView]) -> str:
    return ", ".join(str(UUID(str(line.id))) for line in deployments)


def add_commands(application: typer.Typer) -> None:
    """Add deploy list, create, scale and delete."""
    group = typer.Typer(help="Deployments: copies of models.", no_args_is_help=True)
    add_command(group, "list", list_deployments)
    add_command(group, "create", create_deployment)
    add_command(group, "scale", scale_deployment)
    add_command(group, "delete", delete_deployment)
    application.add_typer(group, name="deploy")
