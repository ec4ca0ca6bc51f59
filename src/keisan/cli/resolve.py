"""`keisan resolve`: what a name stands for, from signed records that the platform keeps; works while its links are cut."""

from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session

NameArgument = Annotated[str, typer.Argument(help="Name, for example cn.sx:site:taiyuan-1:93.")]


async def resolve(session: Session, name: NameArgument) -> None:
    """Show what a name stands for; after a move also what it is called now."""
    found = await session.keisan.links.resolve(name)
    lines = [found.name, f"  platform {found.platform_id}" + (" REVOKED" if found.is_revoked else "")]
    lines += [f"  {label} {text}" for label, text in (("region", found.region), ("id", found.target_id)) if text]
    lines += [f"  below {above}" for above in found.path[1:]]
    session.output.show_view(found, "\n".join(lines))


def add_commands(application: typer.Typer) -> None:
    """Add resolve."""
    add_command(application, "resolve", resolve)
