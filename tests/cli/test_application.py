"""The commands of people: which there are."""

import typer

from keisan.cli.application import add_commands


def test_every_room_adds_its_commands() -> None:
    application = typer.Typer()
    add_commands(application)
    names = {command.name for command in application.registered_commands}
    groups = {group.name for group in application.registered_groups}
    assert (names, groups) == (
        {"status", "chat", "logs", "forecast", "capacity", "report", "resolve"},
        {
            "organizations",
            "top-ups",
            "projects",
            "keys",
            "budgets",
            "challenge",
            "policy",
            "models",
            "chips",
            "device",
            "prices",
            "offers",
            "deductions",
            "deploy",
            "grant",
            "sites",
            "facilities",
            "claims",
            "surveys",
            "telemetry",
            "supernode",
            "usage",
            "receipt",
            "alerts",
            "webhooks",
            "statement",
            "payout",
            "dispute",
            "suspense",
            "quarantine",
            "credit",
            "federation",
            "settlement",
        },
    )
