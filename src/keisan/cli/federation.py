"""`keisan federation`: links to the parent and to children; check, invite, join, approve, leave, move, revoke."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.exchange import list_exchanges
from keisan.cli.exit_code import ExitCode
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput, NotFound
from keisan.domain.federation_check import CheckState
from keisan.domain.link import LinkSide, LinkState
from keisan.domain.platform import PlatformKind
from keisan.sdk import FindingView, InvitationCreate, LinkApproval, LinkEnd, LinkJoin, LinkView

COLUMNS = ("id", "side", "name", "state", "region", "prefix", "epoch", "certificate ends", "offset", "note")
LIVE = (LinkState.REQUESTED, LinkState.JOINED, LinkState.LEAVING)
LinkArgument = Annotated[UUID, typer.Argument(help="Id of the link, as `keisan federation show` lists it.")]
TokenArgument = Annotated[str, typer.Argument(help="Invitation, as the other platform's admin made it.")]
RegionOption = Annotated[str | None, typer.Option(help="Region (ISO 3166-2), for example CN-SX.")]
PrefixOption = Annotated[str | None, typer.Option(help="Label of its names, for example sx.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the audit log.")]


@dataclass(frozen=True, slots=True)
class InviteOptions:
    """What is proposed to whoever reviews, and how the invitation is used."""

    region: RegionOption = None
    prefix: PrefixOption = None
    kind: Annotated[PlatformKind | None, typer.Option(help="What it must be.")] = None
    hours: Annotated[int, typer.Option(min=1, max=720, help="For how long it may be used.")] = 24
    parent_url: Annotated[
        str | None, typer.Option(help="Where the child reaches this platform; else where this command does.")
    ] = None


async def invite(session: Session, options: InviteOptions) -> None:
    """Make an invitation, with which one platform may ask to become a child of this one; it is shown this once."""
    body = InvitationCreate(
        url=options.parent_url or session.target.platform_url.rstrip("/"),
        kind=options.kind,
        region=options.region,
        prefix=options.prefix,
        life_s=options.hours * 3600,
    )
    created = await session.keisan.links.invite(body)
    text = f"{created.token}\n\nFor one platform, until {created.expires_at:%Y-%m-%d %H:%M} UTC; shown this once. There: keisan federation join TOKEN"
    session.output.show_view(created, text)


async def join(session: Session, token: TokenArgument) -> None:
    """Ask the platform that made an invitation to become its child; a person there approves."""
    link = await session.keisan.links.join(LinkJoin(token=token))
    session.output.show_view(link, f"asked {link.url}; the link is {link.state} ({link.id})")


async def list_requests(session: Session) -> None:
    """List platforms that ask to become children of this one."""
    waiting = [link for link in await _list_links(session) if link.state is LinkState.REQUESTED]
    asked = [link for link in waiting if link.side is LinkSide.CHILD]
    rows = [(link.id, link.name, link.kind, link.neighbour_id, f"{link.created_at:%Y-%m-%d %H:%M}") for link in asked]
    session.output.show_views(asked, ("id", "name", "kind", "platform", "asked"), rows)


async def approve(
    session: Session, link: LinkArgument, region: RegionOption = None, prefix: PrefixOption = None
) -> None:
    """Take a platform in as a child, with its region and prefix; this key is recorded as the reviewer."""
    joined = await session.keisan.links.approve(link, LinkApproval(region=region, prefix=prefix))
    place = joined.region or "no region"
    session.output.show_view(joined, f"{joined.name} is a child: {place}, prefix {joined.prefix}, epoch {joined.epoch}")


async def reject(session: Session, link: LinkArgument, reason: ReasonOption = "") -> None:
    """Refuse a platform that asked to join."""
    rejected = await session.keisan.links.reject(link, LinkEnd(reason=reason))
    session.output.show_view(rejected, f"{rejected.name} was rejected")


async def revoke(session: Session, link: LinkArgument, reason: ReasonOption = "") -> None:
    """Cut a neighbour off for good; what it signed before is settled."""
    revoked = await session.keisan.links.revoke(link, LinkEnd(reason=reason))
    session.output.show_view(revoked, f"{revoked.name} was revoked")


async def leave(session: Session) -> None:
    """Leave the parent, step by step; what it cannot be reached for stays in suspense."""
    parent = await _find_parent(session)
    _tell_departure(session, await session.keisan.links.leave(parent.id))


async def move(session: Session, token: TokenArgument) -> None:
    """Leave the parent for the platform that made an invitation: other names, a higher epoch."""
    parent = await _find_parent(session)
    _tell_departure(session, await session.keisan.links.move(parent.id, LinkJoin(token=token)))


async def show(session: Session) -> None:
    """Show all links: states, names, epochs, when certificates end, and how far clocks are apart (alarmed over 30 s)."""
    links = await _list_links(session)
    rows = [
        (
            link.id,
            link.side,
            link.name,
            link.state,
            link.region or "-",
            link.prefix or "-",
            link.epoch,
            "-" if link.certificate_ends_at is None else f"{link.certificate_ends_at:%Y-%m-%d}",
            describe_offset(link),
            describe_note(link),
        )
        for link in links
    ]
    session.output.show_views(links, COLUMNS, rows)


async def check(session: Session) -> None:
    """Check what must hold between platforms, asking each neighbour; exits 0 only if everything was looked at and holds."""
    found = await session.keisan.links.check()
    width = max(len(each.invariant) for each in found.findings)
    lines = [
        f"{each.state:<7}  {each.invariant:<{width}}  {each.neighbour or 'this platform'}: {describe_finding(each)}"
        for each in found.findings
    ]
    held = sum(each.state is CheckState.HELD for each in found.findings)
    session.output.show_view(found, "\n".join([*lines, f"{held} of {len(lines)} held"]))
    _end_unless(found.is_held)


def _end_unless(is_held: bool) -> None:  # whether it holds is all there is to say
    if not is_held:
        raise typer.Exit(ExitCode.FAILED)


def describe_finding(finding: FindingView) -> str:
    """Return what was found in words and numbers, and how."""
    numbers = ", ".join(f"{name} {number}" for name, number in finding.numbers.items())
    return "; ".join(part for part in (finding.text, numbers, finding.how) if part)


def describe_offset(link: LinkView) -> str:
    """Return how far the neighbour's clock is ahead, and whether somebody should look at it."""
    if link.offset_ms is None:
        return "-"
    told = f"{link.offset_ms / 1000:+.1f} s"
    return f"{told} ALARM" if link.is_clock_off else told


def describe_note(link: LinkView) -> str:
    """Return what there is to say of a link: why it does not come on, or how far its departure is."""
    waiting = [step.name for step in link.departure if step.state == "pending"]
    held = [step.name for step in link.departure if step.state == "suspense"]
    closed = ", ".join(f"{code} {count}" for code, count in sorted(link.closed.items()))
    notes = [link.fault, f"next {waiting[0]}" if waiting else "", f"in suspense: {', '.join(held)}" if held else ""]
    notes.append(f"closed: {closed}" if closed else "")
    return "; ".join(note for note in notes if note)


def _tell_departure(session: Session, link: LinkView) -> None:
    steps = "\n".join(f"  {step.name}: {step.state} {step.detail}".rstrip() for step in link.departure)
    session.output.show_view(link, f"leaving {link.name}:\n{steps}")


async def _list_links(session: Session) -> list[LinkView]:
    return [link async for link in session.keisan.links.list()]


async def _find_parent(session: Session) -> LinkView:
    found = [link for link in await _list_links(session) if link.side is LinkSide.PARENT and link.state in LIVE]
    # While it moves there are two: the one that is left comes first, being older.
    if not found:
        raise NotFound("this platform has no parent")
    if found[0].state is LinkState.REQUESTED:
        raise InvalidInput("the parent has not approved yet: there is nothing to leave")
    return found[0]


def add_commands(application: typer.Typer) -> None:
    """Add federation show, check, exchanges, invite, join, requests, approve, reject, revoke, leave and move."""
    group = typer.Typer(help="Links to the parent and to children.", no_args_is_help=True)
    add_command(group, "show", show)
    add_command(group, "check", check)
    add_command(group, "exchanges", list_exchanges)
    add_command(group, "invite", invite)
    add_command(group, "join", join)
    add_command(group, "requests", list_requests)
    add_command(group, "approve", approve)
    add_command(group, "reject", reject)
    add_command(group, "revoke", revoke)
    add_command(group, "leave", leave)
    add_command(group, "move", move)
    application.add_typer(group, name="federation")
