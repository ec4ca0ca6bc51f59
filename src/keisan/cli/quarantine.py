"""`keisan quarantine`: records that were refused; have them handed in again, or discard them."""

from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.sdk import QuarantineJudge, QuarantineState, QuarantineVerdict

COLUMNS = ("id", "refused at", "gateway", "why", "state", "text")
TEXT_CHARACTERS_MAX = 60
QuarantinedArgument = Annotated[UUID, typer.Argument(help="Its id, from `keisan quarantine list`.")]
NoteOption = Annotated[str, typer.Option(help="Why, for people.")]
AllOption = Annotated[bool, typer.Option("--all", help="Also those that were judged.")]


async def list_quarantined(session: Session, is_all: AllOption = False) -> None:
    """List the records that wait for a judgement; --json shows all of each."""
    state = None if is_all else QuarantineState.QUARANTINED
    found = [line async for line in session.keisan.quarantine.list(state)]
    rows = [
        (line.id, f"{line.created_at:%Y-%m-%d %H:%M}", line.gateway_id, line.code, line.state, _show_text(line.text))
        for line in found
    ]
    session.output.show_views(found, COLUMNS, rows)


async def accept_quarantined(session: Session, quarantined_id: QuarantinedArgument, note: NoteOption = "") -> None:
    """Hand a record in again; of one that names another gateway you say that it is this one's."""
    await _judge(session, quarantined_id, QuarantineJudge(verdict=QuarantineVerdict.ACCEPT, note=note))


async def discard_quarantined(session: Session, quarantined_id: QuarantinedArgument, note: NoteOption = "") -> None:
    """Note that a record is nothing; its bytes stay."""
    await _judge(session, quarantined_id, QuarantineJudge(verdict=QuarantineVerdict.DISCARD, note=note))


async def _judge(session: Session, quarantined_id: UUID, body: QuarantineJudge) -> None:
    answer = await session.keisan.quarantine.judge(quarantined_id, body)
    code = f" ({answer.code})" if answer.code else ""
    session.output.show_view(answer, f"{answer.outcome}{code}, the record is {answer.quarantined.state}")


def _show_text(text: str) -> str:
    # One line of a table, whatever the bytes were.
    shown = ascii(text[:TEXT_CHARACTERS_MAX])[1:-1]
    return shown if len(text) <= TEXT_CHARACTERS_MAX else f"{shown}..."


def add_commands(application: typer.Typer) -> None:
    """Add quarantine list, accept and discard."""
    group = typer.Typer(help="Records that were refused.", no_args_is_help=True)
    add_command(group, "list", list_quarantined)
    add_command(group, "accept", accept_quarantined)
    add_command(group, "discard", discard_quarantined)
    application.add_typer(group, name="quarantine")
