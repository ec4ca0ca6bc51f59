"""`keisan projects`: list them, bound their calls, set their policies."""

from typing import Annotated

import typer

from keisan.cli.call_limits import BoundOptions, describe_limits, read_bounds
from keisan.cli.command import add_command
from keisan.cli.key import choose_project, wait_for_newest
from keisan.cli.policy import PolicyArgument, describe_policy, read_policy
from keisan.cli.session import Session
from keisan.sdk import ProjectUpdate

ProjectArgument = Annotated[str, typer.Argument(help="Name or id of the project.")]


async def list_projects(session: Session) -> None:
    """List projects with what binds their calls."""
    projects = [project async for project in session.keisan.projects.list()]
    rows = [(line.id, line.name, describe_limits(line.limits), describe_policy(line.policy)) for line in projects]
    session.output.show_views(projects, ("id", "name", "limits", "policy"), rows)


async def limit_project(session: Session, project: ProjectArgument, bounds: BoundOptions) -> None:
    """Bound the calls of a project; a bound that is not named stays, and none takes one away."""
    change = ProjectUpdate(limits=read_bounds(bounds))
    changed = await session.keisan.projects.update(await choose_project(session, project), change)
    await wait_for_newest(session, "they may use the old bounds until they do")
    session.output.show_view(changed, f"{changed.name}: {describe_limits(changed.limits)}")


async def set_policy(session: Session, project: ProjectArgument, policy: PolicyArgument) -> None:
    """Set a project's policy, which holds together with its organization's and its keys'."""
    change = ProjectUpdate(policy=read_policy(policy))
    changed = await session.keisan.projects.update(await choose_project(session, project), change)
    await wait_for_newest(session, "they may use the old policy until they do")
    session.output.show_view(changed, f"{changed.name}: {describe_policy(changed.policy)}")


def add_commands(application: typer.Typer) -> None:
    """Add projects list, limit and policy."""
    group = typer.Typer(help="Projects of organizations.", no_args_is_help=True)
    add_command(group, "list", list_projects)
    add_command(group, "limit", limit_project)
    add_command(group, "policy", set_policy)
    application.add_typer(group, name="projects")
