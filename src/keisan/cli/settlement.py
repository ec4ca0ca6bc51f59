"""`keisan settlement`: what the platform settles with other platforms, day by day."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.kit.units import format_nano
from keisan.sdk import PositionQuery

SettlementArgument = Annotated[UUID, typer.Argument(help="The settlement's id, from `keisan settlement list`.")]
RecordArgument = Annotated[UUID, typer.Argument(help="Id of a usage record: the header keisan-record-id of an answer.")]
PeriodArgument = Annotated[str, typer.Argument(metavar="DAY", help="A day in UTC, for example 2026-11-27.")]
# Enough of a platform's id to tell it from others in a table.
ID_CHARACTERS = 12


async def list_settlements(session: Session) -> None:
    """List settlements: whose word, to whom, of which day, and how far it has come."""
    found = [line async for line in session.keisan.settlements.list()]
    rows = [
        (
            line.id,
            line.period,
            line.author[:ID_CHARACTERS],
            line.audience[:ID_CHARACTERS],
            line.state,
            "" if line.record_count is None else line.record_count,
            _show_amounts(line.receivable_nano),
            _show_amounts(line.settled_nano),
        )
        for line in found
    ]
    names = ("id", "day", "author", "audience", "state", "calls", "wanted", "signed for")
    session.output.show_views(found, names, rows)


async def show_settlement(session: Session, settlement_id: SettlementArgument) -> None:
    """Show a settlement: what its author says, what is here, and what both have signed."""
    found = await session.keisan.settlements.get(settlement_id)
    lines = [f"{found.author} to {found.audience}, {found.period}: {found.state}"]
    lines += [
        f"  {each.end}, {each.state}: {each.record_count} calls, {format_nano(each.amount_nano, each.currency)}"
        for each in found.sums
    ]
    if found.leaves_root is not None:
        told = f"{found.record_count} calls and {found.total_count} totals under {found.leaves_root}"
        lines.append(f"  its author's word, revision {found.revision}: {told}")
    if found.countersigned_at is not None:
        held = f", {_show_amounts(found.held_nano)} held back" if found.held_nano else ""
        lines.append(f"  signed for by its audience: {_show_amounts(found.settled_nano) or 'nothing'}{held}")
    session.output.show_view(found, "\n".join(lines))


async def list_positions(session: Session, period: PeriodArgument) -> None:
    """Show who owes whom for a day, after both directions."""
    found = await session.keisan.settlements.list_positions(PositionQuery(period=period))
    rows = [
        (each.debtor, each.creditor, format_nano(each.amount_nano, each.currency), "yes" if each.is_final else "no")
        for each in found.positions
    ]
    session.output.show_views(found.positions, ("owes", "to", "amount", "final"), rows)


async def list_disputes(session: Session) -> None:
    """List records on which two platforms do not agree."""
    found = [line async for line in session.keisan.settlements.list_disputes()]
    rows = [
        (line.id, line.period, ", ".join(line.codes), format_nano(line.amount_nano, line.currency)) for line in found
    ]
    session.output.show_views(found, ("record", "day", "what differs", "amount"), rows)


async def compare_settlement(session: Session, settlement_id: SettlementArgument) -> None:
    """Ask the other platform where it differs; what one of both lacks is told again."""
    compared = await session.keisan.settlements.compare(settlement_id)
    session.output.show_view(compared, "asked; `keisan settlement show` tells what came of it")


async def end_settlement(session: Session, settlement_id: SettlementArgument) -> None:
    """End one of the platform's own settlements whose day is over, sooner than it would by itself."""
    ended = await session.keisan.settlements.end(settlement_id)
    session.output.show_view(ended, f"{ended.state}, revision {ended.revision}")


async def fetch_receipt(session: Session, record_id: RecordArgument) -> None:
    """Print the receipt of a call across platforms, for a file: `keisan receipt verify FILE` checks it."""
    receipt = await session.keisan.settlements.get_receipt(record_id)
    session.output.show_json(receipt.model_dump(mode="json"))


def _show_amounts(amounts: Mapping[str, int]) -> str:
    return ", ".join(format_nano(amount_nano, currency) for currency, amount_nano in amounts.items())


def add_commands(application: typer.Typer) -> None:
    """Add settlement list, show, positions, disputes, compare, end and receipt."""
    group = typer.Typer(help="What is settled with other platforms.", no_args_is_help=True)
    add_command(group, "list", list_settlements)
    add_command(group, "show", show_settlement)
    add_command(group, "positions", list_positions)
    add_command(group, "disputes", list_disputes)
    add_command(group, "compare", compare_settlement)
    add_command(group, "end", end_settlement)
    add_command(group, "receipt", fetch_receipt)
    application.add_typer(group, name="settlement")
