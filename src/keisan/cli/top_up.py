"""`keisan top-ups`: list them and credit notes, decide on what another admin proposed, and say what takes two."""

from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.call_limits import NONE
from keisan.cli.command import add_command
from keisan.cli.organization import CurrencyArgument, read_amount
from keisan.cli.session import Session
from keisan.kit.units import format_nano
from keisan.sdk import PlatformUpdate, TopUpView

TopUpArgument = Annotated[UUID, typer.Argument(help="Its id, from `keisan top-ups list`.")]
LimitArgument = Annotated[str, typer.Argument(metavar="AMOUNT", help=f"How much one admin may post, or {NONE}.")]


async def list_top_ups(session: Session) -> None:
    """List top-ups and credit notes, oldest first."""
    found = [line async for line in session.keisan.top_ups.list()]
    rows = [
        (line.id, line.organization_id, line.kind, format_nano(line.amount_nano, line.currency), line.state, line.note)
        for line in found
    ]
    session.output.show_views(found, ("id", "organization", "kind", "amount", "state", "note"), rows)


async def approve_top_up(session: Session, top_up_id: TopUpArgument) -> None:
    """Post what another admin's key proposed."""
    approved = await session.keisan.top_ups.approve(top_up_id)
    session.output.show_view(approved, describe_top_up(approved))


async def reject_top_up(session: Session, top_up_id: TopUpArgument) -> None:
    """End what was proposed; nothing is posted."""
    rejected = await session.keisan.top_ups.reject(top_up_id)
    session.output.show_view(rejected, describe_top_up(rejected))


async def set_four_eyes(session: Session, amount: LimitArgument, currency: CurrencyArgument) -> None:
    """Say above which amount a top-up or a credit note takes two admins' keys."""
    limit_nano = None if amount == NONE else read_amount(amount)
    seen = await session.keisan.platform.get()
    change = PlatformUpdate.model_validate({"four_eyes_nano": {currency: limit_nano}})
    changed = await session.keisan.platform.update(seen, change)
    told = ", ".join(format_nano(nano, name) for name, nano in changed.four_eyes_nano.items()) or NONE
    session.output.show_view(changed, f"two admins above: {told}")


def describe_top_up(top_up: TopUpView) -> str:
    """Return a top-up in a line: what it is, and what came of it."""
    told = f"{format_nano(top_up.amount_nano, top_up.currency)} {top_up.state}"
    if top_up.balance_nano is None:
        return f"{told} ({top_up.id})"
    return f"{told}, the wallet has {format_nano(top_up.balance_nano, top_up.currency)}"


def add_commands(application: typer.Typer) -> None:
    """Add top-ups list, approve, reject and four-eyes."""
    group = typer.Typer(help="Top-ups and credit notes.", no_args_is_help=True)
    add_command(group, "list", list_top_ups)
    add_command(group, "approve", approve_top_up)
    add_command(group, "reject", reject_top_up)
    add_command(group, "four-eyes", set_four_eyes)
    application.add_typer(group, name="top-ups")
