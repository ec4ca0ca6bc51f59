"""`keisan payout`: pay providers what their statements say."""

from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput
from keisan.kit.units import format_nano, parse_nano
from keisan.sdk import PayoutCreate

StatementArgument = Annotated[UUID, typer.Argument(help="The id of a provider's closed statement.")]
AmountOption = Annotated[str | None, typer.Option(help="Pay this and nothing else, for example 250 or 0.5.")]
NoteOption = Annotated[str, typer.Option(help="For people, for example the bank's reference.")]


async def list_payouts(session: Session) -> None:
    """List what providers were paid."""
    found = [line async for line in session.keisan.payouts.list()]
    rows = [
        (line.id, line.provider_id, line.statement_id, format_nano(line.amount_nano, line.currency), line.note)
        for line in found
    ]
    session.output.show_views(found, ("id", "provider", "statement", "amount", "note"), rows)


async def create_payout(
    session: Session, statement_id: StatementArgument, amount: AmountOption = None, note: NoteOption = ""
) -> None:
    """Note that a provider was paid what a closed statement says, once; the answer tells if it was already."""
    answer = await session.keisan.payouts.create(statement_id, _read_payout(amount, note))
    paid = answer.payout
    told = f": {format_nano(paid.amount_nano, paid.currency)}" if paid else ""
    session.output.show_view(answer, f"{answer.outcome}{told}")


def _read_payout(amount: str | None, note: str) -> PayoutCreate:
    try:
        return PayoutCreate(amount_nano=None if amount is None else parse_nano(amount), note=note)
    except ValueError as fault:
        text = "expected an amount above zero with at most 9 decimals"
        raise InvalidInput(text, "--amount", inside=str(fault)) from fault


def add_commands(application: typer.Typer) -> None:
    """Add payout list and create."""
    group = typer.Typer(help="What providers were paid.", no_args_is_help=True)
    add_command(group, "list", list_payouts)
    add_command(group, "create", create_payout)
    application.add_typer(group, name="payout")
