"""How another room adds a command that speaks to a platform as all of the cli's do."""

from collections.abc import Awaitable, Callable

import typer

from keisan.cli.command import add_command


def add_session_command(application: typer.Typer, name: str, work: Callable[..., Awaitable[None]]) -> None:
    """Make `work(session, ...)` a command, as cli's own are made."""
    add_command(application, name, work)
