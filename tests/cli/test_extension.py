"""A command of another room has the options of all."""

import typer
from typer.testing import CliRunner

from keisan.cli.extension import add_session_command
from keisan.cli.session import Session


async def look(session: Session, depth: int = 1) -> None:
    """Look."""
    session.output.show_text(str(depth))


def test_it_has_its_own_options_and_those_of_all() -> None:
    application = typer.Typer()
    add_session_command(application, "look", look)
    told = CliRunner().invoke(application, ["--help"], env={"COLUMNS": "200"}).stdout
    assert "--depth" in told
    assert "--json" in told
    assert "--url" in told
