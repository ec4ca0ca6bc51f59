"""`keisan keys`: make, list, bound and revoke keys; each change returns when all connected gateways know it."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.call_limits import BoundOptions, describe_limits, read_bounds
from keisan.cli.command import add_command
from keisan.cli.policy import PolicyArgument, describe_policy, read_policy
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput, NotFound, Unavailable
from keisan.sdk import KeyCreate, KeyUpdate, KeyView, ProjectView, Role

NameArgument = Annotated[str, typer.Argument(help="A name for people; it need not be unique.")]
KeyArgument = Annotated[UUID, typer.Argument(help="The key's id, from `keisan keys list`.")]
ProjectOption = Annotated[str | None, typer.Option(help="Name or id of the project; needed if there are several.")]
ModelOption = Annotated[list[str] | None, typer.Option(help="A model the key may call; repeat it. Default: all.")]


@dataclass(frozen=True, slots=True)
class GrantOptions:
    """What a new key may do, and under which policy of its own."""

    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.DEVELOPER
    project: ProjectOption = None
    model: ModelOption = None
    policy: Annotated[str, typer.Option(help="A policy of its own, for example: region in CN-SX.")] = ""


async def list_keys(session: Session) -> None:
    """List keys; their secrets are known to nobody but their holders."""
    keys = [key async for key in session.keisan.keys.list()]
    rows = [
        (key.id, key.name, key.role, _describe_models(key), *_describe_bounds(key), _describe_state(key))
        for key in keys
    ]
    session.output.show_views(keys, ("id", "name", "role", "models", "limits", "policy", "state"), rows)


async def create_key(session: Session, name: NameArgument, grant: GrantOptions, bounds: BoundOptions) -> None:
    """Make a key and print its secret, this once; it works when the command returns."""
    chosen = await choose_project(session, grant.project)
    body = KeyCreate(
        name=name,
        project_id=chosen.id,
        role=grant.role,
        models=tuple(grant.model) if grant.model else None,
        limits=read_bounds(bounds),
        policy=read_policy(grant.policy),
    )
    made = await session.keisan.keys.create(body)
    # The secret first: nothing that fails from here on may lose it.
    session.output.show_view(made, made.secret)
    await wait_for_gateways(session, made.snapshot_version, "the key works once they do")


async def limit_key(session: Session, key_id: KeyArgument, bounds: BoundOptions) -> None:
    """Bound the calls of a key; a bound that is not named stays, and none takes one away."""
    change = KeyUpdate(limits=read_bounds(bounds))
    changed = await session.keisan.keys.update(await session.keisan.keys.get(key_id), change)
    await wait_for_newest(session, "they may use the old bounds until they do")
    session.output.show_view(changed, f"{changed.name} ({changed.id}): {describe_limits(changed.limits)}")


async def set_policy(session: Session, key_id: KeyArgument, policy: PolicyArgument) -> None:
    """Set a key's own policy, which holds together with its project's and organization's."""
    change = KeyUpdate(policy=read_policy(policy))
    changed = await session.keisan.keys.update(await session.keisan.keys.get(key_id), change)
    await wait_for_newest(session, "they may use the old policy until they do")
    session.output.show_view(changed, f"{changed.name} ({changed.id}): {describe_policy(changed.policy)}")


async def revoke_key(session: Session, key_id: KeyArgument) -> None:
    """Revoke a key for good; it is refused everywhere when the command returns."""
    revoked = await session.keisan.keys.revoke(key_id)
    await wait_for_gateways(session, revoked.snapshot_version, "they may accept the key until they do")
    session.output.show_view(revoked, f"{revoked.key.name} ({revoked.key.id}) is revoked")


async def choose_project(session: Session, wanted: str | None) -> ProjectView:
    """Return the project of a name or id, or the only one; raises NotFound or InvalidInput naming those there are."""
    projects = [project async for project in session.keisan.projects.list()]
    names = ", ".join(project.name for project in projects) or "none"
    if wanted is None:
        if len(projects) == 1:
            return projects[0]
        raise InvalidInput(f"choose a project; there are: {names}", "--project")
    found = [project for project in projects if wanted in (project.name, str(project.id))]
    if not found:
        raise NotFound(f"there is no project '{wanted}'; there are: {names}")
    if len(found) > 1:
        raise InvalidInput(f"several projects are called '{wanted}'; name one by its id", "--project")
    return found[0]


async def wait_for_gateways(session: Session, version: int, consequence: str) -> None:
    """Wait until connected gateways serve a version; a late one is told, and is no failure of the change itself."""
    try:
        await session.keisan.wait_for_gateways(version)
    except Unavailable as fault:
        session.output.tell(f"keisan: {fault.outside}; {consequence}")


async def wait_for_newest(session: Session, consequence: str) -> None:
    """Wait until connected gateways serve what was just changed, and tell of a late one as wait_for_gateways does."""
    newest = (await session.keisan.gateways.list()).snapshot_version
    await wait_for_gateways(session, newest, consequence)


def _describe_models(key: KeyView) -> str:
    return "all" if key.models is None else ", ".join(key.models)


def _describe_bounds(key: KeyView) -> tuple[str, str]:
    return describe_limits(key.limits), describe_policy(key.policy)


def _describe_state(key: KeyView) -> str:
    return "in force" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"


def add_commands(application: typer.Typer) -> None:
    """Add keys list, create, limit, policy and revoke."""
    group = typer.Typer(help="Keys of the platform.", no_args_is_help=True)
    add_command(group, "list", list_keys)
    add_command(group, "create", create_key)
    add_command(group, "limit", limit_key)
    add_command(group, "policy", set_policy)
    add_command(group, "revoke", revoke_key)
    application.add_typer(group, name="keys")
