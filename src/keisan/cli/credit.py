"""`keisan credit`: what is leased to other platforms and by them, and what a platform that is cut off can still spend."""

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.kit.units import format_nano
from keisan.sdk import CreditSide, PlatformTicketView

COLUMNS = ("side", "platform", "organization", "state", "can spend", "spent", "set aside", "until", "free at")


async def list_credit(session: Session) -> None:
    """List credit leased to platforms (home) and by them (serving), with its bounds.

    What a platform can spend it can spend while it is cut off, until its lease is over; home has back what was not returned
    when the window for late records is over too.
    """
    found = [line async for line in session.keisan.platform_tickets.list()]
    session.output.show_views(found, COLUMNS, [_build_row(line) for line in found])


def _build_row(line: PlatformTicketView) -> tuple[object, ...]:
    is_home = line.side is CreditSide.HOME
    return (
        line.side,
        line.counterparty_id[:12],
        line.organization_id,
        line.state,
        format_nano(line.left_nano, line.currency),
        format_nano(line.spent_nano, line.currency),
        format_nano(line.aside_nano, line.currency) if is_home else "",
        f"{line.expires_at:%Y-%m-%d %H:%M}",
        f"{line.free_at:%Y-%m-%d %H:%M}" if is_home else "",
    )


def add_commands(application: typer.Typer) -> None:
    """Add credit list."""
    group = typer.Typer(help="Credit between platforms.", no_args_is_help=True)
    add_command(group, "list", list_credit)
    application.add_typer(group, name="credit")
