"""`keisan logs`: the platform's events, and with a replica's id the last lines of its engine."""

from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.kit.clock import SystemClock
from keisan.sdk import EventView

FOLLOW_S = 1.0
ReplicaArgument = Annotated[UUID | None, typer.Argument(help="A replica's id: show its engine's last lines.")]
CountOption = Annotated[int, typer.Option("--lines", "-n", help="How many of the newest events.", min=1)]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")]


async def show_logs(
    session: Session, replica_id: ReplicaArgument = None, count: CountOption = 50, is_following: FollowOption = False
) -> None:
    """Show the platform's events, oldest first, or the end of a replica's log; with --json one object a line."""
    if replica_id is not None:
        await _show_replica(session, replica_id, is_following=is_following)
        return
    newest = [event async for event in session.keisan.events.list()]
    for event in newest[-count:]:
        _show_event(session, event)
    last = newest[-1].sequence if newest else 0
    clock = SystemClock()
    while is_following:
        await clock.sleep(FOLLOW_S)
        async for event in session.keisan.events.list(last):
            _show_event(session, event)
            last = event.sequence


async def _show_replica(session: Session, replica_id: UUID, *, is_following: bool) -> None:
    shown, clock = "", SystemClock()
    while True:
        log = await session.keisan.replicas.read_log(replica_id)
        if session.output.is_json and (not shown or log.log_tail != shown):
            session.output.show_json(log.model_dump(mode="json"))
        elif not session.output.is_json:
            session.output.show_text(cut_known(shown, log.log_tail), end="")
        shown = log.log_tail
        if not is_following:
            return
        await clock.sleep(FOLLOW_S)


def cut_known(shown: str, tail: str) -> str:
    """Return what of `tail` comes after `shown`: both are ends of one growing text, of bounded length."""
    lines = shown.splitlines(keepends=True)
    for start in range(len(lines)):
        known = "".join(lines[start:])
        if tail.startswith(known):
            return tail.removeprefix(known)
    return tail


def _show_event(session: Session, event: EventView) -> None:
    detail = "  ".join(f"{name}={text}" for name, text in event.detail.items())
    text = f"{event.created_at:%Y-%m-%d %H:%M:%S}  {event.action:<22}  {event.actor:<10}  {detail}".rstrip()
    session.output.show_view(event, text)


def add_commands(application: typer.Typer) -> None:
    """Add logs."""
    add_command(application, "logs", show_logs)
