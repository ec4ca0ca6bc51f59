"""`keisan deductions`: the platform's margins and tax; list them, make the next version, withdraw one."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.organization import choose_organization
from keisan.cli.provider import choose_provider
from keisan.cli.session import Session
from keisan.cli.validity import ValidityOptions, describe_validity, read_instant
from keisan.domain.errors import InvalidInput
from keisan.kit.units import format_percent, parse_percent
from keisan.sdk import DeductionCreate, DeductionKind, DeductionView

COLUMNS = ("id", "version", "kind", "of", "rate", "holds")
KindArgument = Annotated[DeductionKind, typer.Argument(help="The platform's margin, or tax within what is paid.")]
PercentArgument = Annotated[str, typer.Argument(metavar="PERCENT", help="How much, for example 6 or 2.5.")]
DeductionArgument = Annotated[UUID, typer.Argument(help="Id of any of its versions.")]


@dataclass(frozen=True, slots=True)
class SubjectOptions:
    """Whose it is; everybody's who has none of their own, if nobody is named."""

    provider: Annotated[str | None, typer.Option(help="Name or id of the provider whose margin it is.")] = None
    organization: Annotated[str | None, typer.Option(help="Name or id of the organization whose tax it is.")] = None


async def list_deductions(session: Session) -> None:
    """List all versions of margins and tax that apply to you, oldest first."""
    deductions = [deduction async for deduction in session.keisan.deductions.list()]
    names = {line.id: line.name async for line in session.keisan.providers.list()}
    names |= {line.id: line.name async for line in session.keisan.organizations.list()}
    rows = []
    for line in deductions:
        subject_id = line.provider_id or line.organization_id
        subject = "everybody" if subject_id is None else names.get(subject_id, subject_id)
        validity = describe_validity(line.effective_from, line.effective_until)
        rows.append((line.id, line.version, line.kind, subject, describe_rate(line), validity))
    session.output.show_views(deductions, COLUMNS, rows)


async def make_deduction(
    session: Session, kind: KindArgument, rate: PercentArgument, subject: SubjectOptions, validity: ValidityOptions
) -> None:
    """Take a margin of what providers without an offer earn, or tax of what organizations pay."""
    provider = await choose_provider(session, subject.provider) if subject.provider else None
    organization = await choose_organization(session, subject.organization) if subject.organization else None
    body = DeductionCreate(
        kind=kind,
        provider_id=provider.id if provider else None,
        organization_id=organization.id if organization else None,
        rate_ppm=_read_rate(rate),
        effective_from=read_instant(validity.start),
        effective_until=read_instant(validity.end),
    )
    _show(session, await session.keisan.deductions.create(body))


async def withdraw_deduction(session: Session, deduction: DeductionArgument) -> None:
    """Take a subject's own rate away from now on; everybody's holds for it then."""
    _show(session, await session.keisan.deductions.withdraw(deduction))


def describe_rate(deduction: DeductionView) -> str:
    """Return a rate in percent."""
    return "withdrawn" if deduction.rate_ppm is None else format_percent(deduction.rate_ppm)


def _read_rate(text: str) -> int:
    try:
        return parse_percent(text)
    except ValueError as fault:
        raise InvalidInput(str(fault), "PERCENT") from fault


def _show(session: Session, deduction: DeductionView) -> None:
    validity = describe_validity(deduction.effective_from, deduction.effective_until)
    text = f"{deduction.kind} {deduction.id} version {deduction.version}: {describe_rate(deduction)}, {validity}"
    session.output.show_view(deduction, text)


def add_commands(application: typer.Typer) -> None:
    """Add deductions list, make and withdraw."""
    group = typer.Typer(help="What the platform takes: margins and tax.", no_args_is_help=True)
    add_command(group, "list", list_deductions)
    add_command(group, "make", make_deduction)
    add_command(group, "withdraw", withdraw_deduction)
    application.add_typer(group, name="deductions")
