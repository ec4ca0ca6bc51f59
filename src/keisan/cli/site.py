"""`keisan sites`: list them with their doors, and replace the secret of a door."""

from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput, NotFound, Unavailable
from keisan.sdk import DoorView, SiteView

SiteArgument = Annotated[str, typer.Argument(help="Name or id of the site.")]


async def list_sites(session: Session) -> None:
    """List sites with their doors."""
    sites = [site async for site in session.keisan.sites.list()]
    if session.output.is_json:
        session.output.show_json([site.model_dump(mode="json") for site in sites])
        return
    rows = [(site.id, site.name, site.region, site.verdict, await _describe_door(session, site)) for site in sites]
    session.output.show_table(("id", "name", "region", "verdict", "door"), rows)


async def show_door(session: Session, site: SiteArgument) -> None:
    """Show a site's door: where it is, and whether its secret is being replaced."""
    chosen = await choose_site(session, site)
    door = await session.keisan.doors.get(chosen.id)
    session.output.show_view(door, f"{chosen.name}: {describe_door(door)}")


async def rotate_door(session: Session, site: SiteArgument) -> None:
    """Replace the secret of a site's door; when the command returns, the old one opens nothing. No call fails of it."""
    chosen = await choose_site(session, site)
    await session.keisan.doors.rotate(chosen.id)
    try:
        door = await session.keisan.wait_for_door(chosen.id)
    except Unavailable as fault:
        # The change goes on by itself: what it waits for is an agent, or a gateway.
        session.output.tell(f"keisan: {fault.outside}; the old secret opens the door until then")
        door = await session.keisan.doors.get(chosen.id)
    session.output.show_view(door, f"{chosen.name}: {describe_door(door)}")


async def choose_site(session: Session, wanted: str) -> SiteView:
    """Return the site of a name or id; raises NotFound naming those there are, InvalidInput if several have the name."""
    sites = [site async for site in session.keisan.sites.list()]
    found = [site for site in sites if wanted in (site.name, str(site.id))]
    if not found:
        raise NotFound(f"there is no site '{wanted}'; there are: {', '.join(site.name for site in sites) or 'none'}")
    if len(found) > 1:
        raise InvalidInput(f"several sites are called '{wanted}'; name one by its id", "SITE")
    return found[0]


def describe_door(door: DoorView) -> str:
    """Return a door in words."""
    if door.host is None:
        return "closed"
    scheme = "https" if door.is_tls else "http"
    host = f"[{door.host}]" if ":" in door.host else door.host
    use = "in use" if door.is_told else "not in use yet"
    return f"{scheme}://{host}:{door.port}, {use}, secret {door.stage}"


async def _describe_door(session: Session, site: SiteView) -> str:
    try:
        return describe_door(await session.keisan.doors.get(site.id))
    except NotFound:
        return "none"


def add_commands(application: typer.Typer) -> None:
    """Add sites list, door and rotate-door."""
    group = typer.Typer(help="Sites of the platform.", no_args_is_help=True)
    add_command(group, "list", list_sites)
    add_command(group, "door", show_door)
    add_command(group, "rotate-door", rotate_door)
    application.add_typer(group, name="sites")
