"""`keisan suspense`: records that suspense paid for; charge them to their organizations, or write them off."""

from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.kit.units import format_nano
from keisan.sdk import SuspenseJudge, SuspenseState, SuspenseVerdict

COLUMNS = ("record", "day", "organization", "amount", "why", "state")
RecordArgument = Annotated[UUID, typer.Argument(help="The record's id, from `keisan suspense list`.")]
NoteOption = Annotated[str, typer.Option(help="Why, for people; the organization reads it.")]
AllOption = Annotated[bool, typer.Option("--all", help="Also those that were judged.")]


async def list_suspended(session: Session, is_all: AllOption = False) -> None:
    """List the records that wait for a judgement, oldest first."""
    state = None if is_all else SuspenseState.SUSPENDED
    found = [line async for line in session.keisan.suspense.list(state)]
    rows = [
        (
            line.record_id,
            line.day,
            line.organization_id,
            format_nano(line.amount_nano, line.currency),
            line.code,
            line.state,
        )
        for line in found
    ]
    session.output.show_views(found, COLUMNS, rows)


async def charge_suspended(session: Session, record_id: RecordArgument, note: NoteOption = "") -> None:
    """Let the record's organization pay for it, if its wallet has so much to spend."""
    await _judge(session, record_id, SuspenseJudge(verdict=SuspenseVerdict.CHARGE, note=note))


async def write_off_suspended(session: Session, record_id: RecordArgument, note: NoteOption = "") -> None:
    """Let the platform's revenue pay for the record."""
    await _judge(session, record_id, SuspenseJudge(verdict=SuspenseVerdict.WRITE_OFF, note=note))


async def _judge(session: Session, record_id: UUID, body: SuspenseJudge) -> None:
    answer = await session.keisan.suspense.judge(record_id, body)
    own = answer.suspended
    text = f"{answer.outcome}: {format_nano(own.amount_nano, own.currency)}, the record is {own.state}"
    session.output.show_view(answer, text)


def add_commands(application: typer.Typer) -> None:
    """Add suspense list, charge and write-off."""
    group = typer.Typer(help="Records that no wallet paid for.", no_args_is_help=True)
    add_command(group, "list", list_suspended)
    add_command(group, "charge", charge_suspended)
    add_command(group, "write-off", write_off_suspended)
    application.add_typer(group, name="suspense")
