"""`keisan alerts`: what happened that somebody should hear of."""

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session


async def list_alerts(session: Session) -> None:
    """List alerts, oldest first."""
    found = [line async for line in session.keisan.alerts.list()]
    rows = [
        (
            line.id,
            f"{line.created_at:%Y-%m-%d %H:%M:%S}",
            line.kind,
            line.subject_id,
            "  ".join(f"{name}={text}" for name, text in line.detail.items()),
        )
        for line in found
    ]
    session.output.show_views(found, ("id", "when", "kind", "about", "detail"), rows)


def add_commands(application: typer.Typer) -> None:
    """Add alerts list."""
    group = typer.Typer(help="Alerts: what somebody should hear of.", no_args_is_help=True)
    add_command(group, "list", list_alerts)
    application.add_typer(group, name="alerts")
