"""The commands of people, mounted by daemon into the console script."""

import typer

from keisan.cli import (
    alert,
    budget,
    chat,
    deduction,
    deployment,
    dispute,
    event,
    forecast,
    history,
    key,
    model,
    offer,
    organization,
    payout,
    policy,
    price,
    project,
    quarantine,
    receipt,
    site,
    statement,
    status,
    suspense,
    top_up,
    usage,
    webhook,
)

ROOMS = (
    status,
    chat,
    organization,
    top_up,
    project,
    key,
    budget,
    forecast,
    policy,
    model,
    price,
    offer,
    deduction,
    deployment,
    site,
    history,
    usage,
    receipt,
    statement,
    payout,
    dispute,
    suspense,
    quarantine,
    alert,
    webhook,
    event,
)


def add_commands(application: typer.Typer) -> None:
    """Add every command."""
    for room in ROOMS:
        room.add_commands(application)
