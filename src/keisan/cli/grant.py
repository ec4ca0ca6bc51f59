"""`keisan grant`: ask a child for capacity, grant it to a parent, and see what is granted either way."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.model import find_model
from keisan.cli.session import Session
from keisan.domain.deployment import REPLICA_COUNT_MAX, SLOTS_MAX
from keisan.domain.grant import OnExpiry
from keisan.domain.limits import GRANT_DEVICES_MAX, GRANT_DURATION_S_MAX
from keisan.sdk import GrantAsk, GrantView, NotFound, WantView, WorkUpdate
from keisan.wire.base import explain_refusal

HOUR_S = 3600
ChildArgument = Annotated[str, typer.Argument(help="The child platform's id.")]
GrantArgument = Annotated[UUID, typer.Argument(help="Id of a grant or of a want, from `keisan grant list`.")]
ReasonArgument = Annotated[str, typer.Argument(help="Why.")]
ChipOption = Annotated[str | None, typer.Option(help="Of which chip, default any.")]
CountOption = Annotated[int, typer.Option(help="How many devices.", min=1, max=GRANT_DEVICES_MAX)]
HoursOption = Annotated[int, typer.Option(help="For how long.", min=1, max=GRANT_DURATION_S_MAX // HOUR_S)]
ExpiryOption = Annotated[
    OnExpiry, typer.Option(help="What happens when it is not renewed: replicas are kept, or devices go back.")
]
ModelArgument = Annotated[str, typer.Argument(help="Name of the model, which both platforms know.")]
ReplicasOption = Annotated[int, typer.Option(help="How many copies; none stops them.", min=0, max=REPLICA_COUNT_MAX)]
SlotsOption = Annotated[int, typer.Option(help="Calls that one copy serves at a time.", min=1, max=SLOTS_MAX)]
AutomaticOption = Annotated[
    int | None, typer.Option("--automatic", help="Up to how many devices in all are granted without a person.", min=0)
]


@dataclass(frozen=True, slots=True)
class AskOptions:
    """For what to ask."""

    count: CountOption = 1
    chip: ChipOption = None
    hours: HoursOption = 24
    on_expiry: ExpiryOption = OnExpiry.HOLD


async def ask_grant(session: Session, child: ChildArgument, asked: AskOptions) -> None:
    """Ask a child for devices; it answers over the link."""
    duration_s = asked.hours * HOUR_S
    with explain_refusal():
        body = GrantAsk(
            child_id=child, chip=asked.chip, count=asked.count, duration_s=duration_s, on_expiry=asked.on_expiry
        )
    want = await session.keisan.grant_wants.ask(body)
    session.output.show_view(want, str(want.id))


async def list_grants(session: Session) -> None:
    """List what this platform granted, and what it would have of others."""
    grants = [line async for line in session.keisan.grants.list()]
    wants = [line async for line in session.keisan.grant_wants.list()]
    rows = [
        (
            line.id,
            "granted to",
            line.parent_id[:12],
            line.count,
            line.chip or "any",
            str(line.state),
            _tell(line.ends_at),
        )
        for line in grants
    ]
    rows += [
        (
            line.id,
            "wanted of",
            line.child_id[:12],
            line.count,
            line.chip or "any",
            describe_want(line),
            _tell(line.ends_at),
        )
        for line in wants
    ]
    columns = ("id", "way", "platform", "devices", "chip", "state", "until")
    session.output.show_views([*grants, *wants], columns, rows)


async def show_grant(session: Session, grant_id: GrantArgument) -> None:
    """Show a grant or a want."""
    found = await find_grant(session, grant_id)
    state = found.state if isinstance(found, GrantView) else describe_want(found)
    session.output.show_view(found, f"{found.id}: {state}, until {_tell(found.ends_at) or 'now'}")


async def approve_grant(session: Session, grant_id: GrantArgument) -> None:
    """Issue a grant that is beyond the policy."""
    approved = await session.keisan.grants.approve(grant_id)
    session.output.show_view(approved, f"{approved.id}: {approved.state}")


async def refuse_grant(session: Session, grant_id: GrantArgument, reason: ReasonArgument) -> None:
    """Refuse a grant that is proposed."""
    refused = await session.keisan.grants.refuse(grant_id, reason)
    session.output.show_view(refused, f"{refused.id}: {refused.state}")


async def end_grant(
    session: Session, grant_id: GrantArgument, reason: ReasonArgument = "it is needed no longer"
) -> None:
    """End a grant, or a want: what runs there is stopped."""
    found = await find_grant(session, grant_id)
    if isinstance(found, GrantView):
        ended: GrantView | WantView = await session.keisan.grants.end(found.id, reason)
    else:
        ended = await session.keisan.grant_wants.end(found.id)
    session.output.show_view(ended, f"{ended.id}: {ended.state}")


async def renew_grant(session: Session, want_id: GrantArgument) -> None:
    """Ask a child once more, before that is done by itself."""
    renewed = await session.keisan.grant_wants.renew(want_id)
    session.output.show_view(renewed, f"{renewed.id}: {describe_want(renewed)}")


async def run_grant(
    session: Session,
    want_id: GrantArgument,
    model: ModelArgument,
    replicas: ReplicasOption = 1,
    slots: SlotsOption = 4,
) -> None:
    """Run copies of a model on what a child granted."""
    chosen = await find_model(session, model)
    body = WorkUpdate(model_id=chosen.id, engine=chosen.engines[0], slots=slots, replica_count=replicas)
    changed = await session.keisan.grant_wants.set_work(await session.keisan.grant_wants.get(want_id), body)
    session.output.show_view(changed, f"{changed.id}: {replicas} wanted")


async def show_terms(session: Session, automatic: AutomaticOption = None) -> None:
    """Show, or change, up to how many devices are granted without a person."""
    terms = await session.keisan.grants.get_terms()
    if automatic is not None:
        terms = await session.keisan.grants.update_terms(terms, automatic)
    session.output.show_view(terms, f"epoch {terms.epoch}: {terms.automatic_count} devices are granted at once")


async def find_grant(session: Session, grant_id: UUID) -> GrantView | WantView:
    """Return a grant, or else a want; raises NotFound where there is neither."""
    try:
        return await session.keisan.grants.get(grant_id)
    except NotFound:
        return await session.keisan.grant_wants.get(grant_id)


def describe_want(want: WantView) -> str:
    """Return what a want has come to."""
    if want.answer is None:
        return f"{want.state}, not answered"
    told = f"{want.state}, {want.answer.state}"
    return f"{told}: {want.answer.reason}" if want.answer.reason else told


def _tell(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M}"


def add_commands(application: typer.Typer) -> None:
    """Add grant ask, list, show, approve, refuse, renew, run, end and terms."""
    group = typer.Typer(help="Grants: capacity of a child that its parent may use for a time.", no_args_is_help=True)
    add_command(group, "ask", ask_grant)
    add_command(group, "list", list_grants)
    add_command(group, "show", show_grant)
    add_command(group, "approve", approve_grant)
    add_command(group, "refuse", refuse_grant)
    add_command(group, "renew", renew_grant)
    add_command(group, "run", run_grant)
    add_command(group, "end", end_grant)
    add_command(group, "terms", show_terms)
    application.add_typer(group, name="grant")
