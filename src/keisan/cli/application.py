"""The commands of people, mounted by daemon into the console script."""

import typer

from keisan.cli import chat, deployment, event, key, model, organization, policy, project, site, status, usage


def add_commands(application: typer.Typer) -> None:
    """Add every command."""
    for room in (status, chat, organization, project, key, policy, model, deployment, site, usage, event):
        room.add_commands(application)
