"""`keisan dispute`: dispute a closed statement, and answer it."""

from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput
from keisan.kit.units import format_nano, parse_nano
from keisan.sdk import DisputeCreate, DisputeResolve, DisputeVerdict, DisputeView

StatementArgument = Annotated[UUID, typer.Argument(help="The id of your closed statement.")]
DisputeArgument = Annotated[UUID, typer.Argument(help="The dispute's id, from `keisan dispute list`.")]
ReasonArgument = Annotated[str, typer.Argument(help="What is wrong.")]
RecordOption = Annotated[list[UUID] | None, typer.Option("--record", help="A record that is meant; repeat it.")]
ResolutionArgument = Annotated[str, typer.Argument(help="The answer to its holder.")]
AmountArgument = Annotated[str, typer.Argument(help="How much its holder gets, for example 250 or 0.5.")]


async def list_disputes(session: Session) -> None:
    """List disputes."""
    found = [line async for line in session.keisan.disputes.list()]
    rows = [
        (line.id, line.statement_id, line.holder_kind, line.state, _show_amount(line), line.reason) for line in found
    ]
    session.output.show_views(found, ("id", "statement", "kind", "state", "amount", "reason"), rows)


async def open_dispute(
    session: Session, statement_id: StatementArgument, reason: ReasonArgument, record: RecordOption = None
) -> None:
    """Dispute a closed statement, all of it or some of its records."""
    body = DisputeCreate(reason=reason, record_ids=tuple(record or ()))
    opened = await session.keisan.disputes.open(statement_id, body)
    session.output.show_view(opened, str(opened.id))


async def reject_dispute(session: Session, dispute_id: DisputeArgument, resolution: ResolutionArgument) -> None:
    """Reject a dispute."""
    body = DisputeResolve(verdict=DisputeVerdict.REJECTED, resolution=resolution)
    resolved = await session.keisan.disputes.resolve(dispute_id, body)
    session.output.show_view(resolved, str(resolved.state))


async def grant_dispute(
    session: Session, dispute_id: DisputeArgument, amount: AmountArgument, resolution: ResolutionArgument
) -> None:
    """Uphold a dispute: an amount moves to its holder, and stands on its next statement."""
    body = DisputeResolve(verdict=DisputeVerdict.UPHELD, resolution=resolution, amount_nano=_read_amount(amount))
    resolved = await session.keisan.disputes.resolve(dispute_id, body)
    session.output.show_view(resolved, f"{resolved.state}: {_show_amount(resolved)}")


def _read_amount(text: str) -> int:
    try:
        return parse_nano(text)
    except ValueError as fault:
        raise InvalidInput(str(fault), "AMOUNT") from fault


def _show_amount(view: DisputeView) -> str:
    return "" if view.amount_nano is None else format_nano(view.amount_nano, view.currency)


def add_commands(application: typer.Typer) -> None:
    """Add dispute list, open, reject and uphold."""
    group = typer.Typer(help="Disputes of closed statements.", no_args_is_help=True)
    add_command(group, "list", list_disputes)
    add_command(group, "open", open_dispute)
    add_command(group, "reject", reject_dispute)
    add_command(group, "uphold", grant_dispute)
    application.add_typer(group, name="dispute")
