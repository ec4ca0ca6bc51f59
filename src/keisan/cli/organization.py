"""`keisan organizations`: list them, say how they pay, fill their wallets, bound their calls, set their policies."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.call_limits import NONE, BoundOptions, describe_limits, read_bounds, read_number
from keisan.cli.command import add_command
from keisan.cli.key import wait_for_newest
from keisan.cli.policy import PolicyArgument, describe_policy, read_policy
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput, NotFound
from keisan.kit.units import format_nano, parse_nano
from keisan.sdk import AdmissionCreate, Billing, OrganizationUpdate, OrganizationView, TopUpCreate, TopUpKind, TopUpView
from keisan.wire.base import explain_refusal

OrganizationArgument = Annotated[str, typer.Argument(help="Name or id of the organization.")]
BillingArgument = Annotated[Billing, typer.Argument(help="How it pays.")]
AmountArgument = Annotated[str, typer.Argument(help="How much, for example 250 or 0.5.")]
CurrencyArgument = Annotated[str, typer.Argument(help="Of which currency, for example CNY.")]
NoteOption = Annotated[str, typer.Option(help="Why, for those who read the events.")]
LowArgument = Annotated[str, typer.Argument(metavar="AMOUNT", help=f"A balance, or {NONE} for no alert.")]
AgeArgument = Annotated[str, typer.Argument(metavar="SECONDS", help="A number of seconds, or none for any age.")]
ZoneArgument = Annotated[str, typer.Argument(help="An IANA name, for example Asia/Tokyo.")]


PlatformArgument = Annotated[str, typer.Argument(help="Id of the other platform: 64 hex digits.")]


@dataclass(frozen=True, slots=True)
class AdmissionOptions:
    """On what terms an organization may call elsewhere."""

    currency: Annotated[str, typer.Option(help="In which currency, for example CNY.")] = "CNY"
    policy: Annotated[str, typer.Option(help="What narrows its own policy there.")] = ""
    credit_max: Annotated[str | None, typer.Option(help="The most that is leased there at a time.")] = None


@dataclass(frozen=True, slots=True)
class ReasonOptions:
    """Why money is given back, and for what."""

    note: Annotated[str, typer.Option(help="Why; a credit note must say so.")] = ""
    record: Annotated[UUID | None, typer.Option(help="The usage record it gives back for.")] = None
    statement: Annotated[UUID | None, typer.Option(help="The statement it gives back for.")] = None


async def list_organizations(session: Session) -> None:
    """List organizations with how they pay and what binds their calls."""
    found = [line async for line in session.keisan.organizations.list()]
    rows = [
        (line.id, line.name, line.billing, describe_limits(line.limits), describe_policy(line.policy)) for line in found
    ]
    session.output.show_views(found, ("id", "name", "billing", "limits", "policy"), rows)


async def limit_organization(session: Session, organization: OrganizationArgument, bounds: BoundOptions) -> None:
    """Bound the calls of an organization; a bound that is not named stays, and none takes one away."""
    changed = await _update(session, organization, OrganizationUpdate(limits=read_bounds(bounds)))
    session.output.show_view(changed, f"{changed.name}: {describe_limits(changed.limits)}")


async def set_policy(session: Session, organization: OrganizationArgument, policy: PolicyArgument) -> None:
    """Set an organization's policy, which holds together with its projects' and keys'."""
    changed = await _update(session, organization, OrganizationUpdate(policy=read_policy(policy)))
    session.output.show_view(changed, f"{changed.name}: {describe_policy(changed.policy)}")


async def set_billing(session: Session, organization: OrganizationArgument, billing: BillingArgument) -> None:
    """Say whether an organization pays before it calls, bounded by its wallet, or after."""
    changed = await _update(session, organization, OrganizationUpdate(billing=billing))
    session.output.show_view(changed, f"{changed.name} is {changed.billing}")


async def fill_wallet(
    session: Session,
    organization: OrganizationArgument,
    amount: AmountArgument,
    currency: CurrencyArgument,
    note: NoteOption = "",
) -> None:
    """Put money from outside into a wallet; who pays before calling may call on it at once."""
    body = _read_top_up(amount, currency, note)
    chosen = await choose_organization(session, organization)
    made = await session.keisan.organizations.top_up(chosen.id, body)
    _show_top_up(session, chosen, made)


async def write_credit_note(
    session: Session,
    organization: OrganizationArgument,
    amount: AmountArgument,
    currency: CurrencyArgument,
    reason: ReasonOptions,
) -> None:
    """Give an organization money back of the platform's revenue; the note must say why."""
    change = {"kind": TopUpKind.CREDIT_NOTE, "record_id": reason.record, "statement_id": reason.statement}
    body = _read_top_up(amount, currency, reason.note).model_copy(update=change)
    chosen = await choose_organization(session, organization)
    made = await session.keisan.organizations.top_up(chosen.id, body)
    _show_top_up(session, chosen, made)


async def set_wallet_low(
    session: Session, organization: OrganizationArgument, amount: LowArgument, currency: CurrencyArgument
) -> None:
    """Say below which balance of a wallet the organization is alerted; its own admin may."""
    low_nano = None if amount == NONE else read_amount(amount)
    change = OrganizationUpdate.model_validate({"wallet_low_nano": {currency: low_nano}})
    changed = await session.keisan.organizations.update(await choose_organization(session, organization), change)
    told = ", ".join(format_nano(nano, name) for name, nano in changed.wallet_low_nano.items()) or NONE
    session.output.show_view(changed, f"{changed.name}: {told}")


async def set_snapshot_age(session: Session, organization: OrganizationArgument, age: AgeArgument) -> None:
    """Bound how old the state may be that a gateway without its platform serves an organization from."""
    change = OrganizationUpdate(snapshot_age_s_max=read_number(age, "SECONDS"))
    changed = await _update(session, organization, change)
    told = "any age" if changed.snapshot_age_s_max is None else f"{changed.snapshot_age_s_max} s"
    session.output.show_view(changed, f"{changed.name}: {told}")


async def set_time_zone(session: Session, organization: OrganizationArgument, time_zone: ZoneArgument) -> None:
    """Say in which time zone an organization's months begin, those of its budgets."""
    with explain_refusal():
        change = OrganizationUpdate(time_zone=time_zone)
    changed = await _update(session, organization, change)
    session.output.show_view(changed, f"{changed.name}: {changed.time_zone}")


async def admit_organization(
    session: Session, organization: OrganizationArgument, platform: PlatformArgument, terms: AdmissionOptions
) -> None:
    """Admit an organization at another platform, within a narrowed policy, on credit that is leased there."""
    chosen = await choose_organization(session, organization)
    bound_nano = None if terms.credit_max is None else read_amount(terms.credit_max)
    with explain_refusal():
        body = AdmissionCreate(
            organization_id=chosen.id,
            platform_id=platform,
            currency=terms.currency,
            policy=terms.policy,
            credit_nano_max=bound_nano,
        )
    made = await session.keisan.admissions.admit(body)
    session.output.show_view(made, f"{chosen.name} is admitted at {platform[:12]}: {describe_policy(made.policy)}")


async def end_admission(session: Session, organization: OrganizationArgument, platform: PlatformArgument) -> None:
    """End an admission: keys are revoked there, and credit comes back by signed return. Raises NotFound where there is none."""
    chosen = await choose_organization(session, organization)
    async for line in session.keisan.admissions.list():
        if (line.organization_id, line.counterparty_id, line.ended_at) == (chosen.id, platform, None):
            ended = await session.keisan.admissions.end(line)
            session.output.show_view(ended, f"{chosen.name} is not admitted at {platform[:12]} any more")
            return
    raise NotFound(f"{chosen.name} is not admitted there")


async def choose_organization(session: Session, wanted: str) -> OrganizationView:
    """Return the organization of a name or id; raises NotFound naming those there are."""
    found = [line async for line in session.keisan.organizations.list()]
    for line in found:
        if wanted in (line.name, str(line.id)):
            return line
    raise NotFound(
        f"there is no organization '{wanted}'; there are: {', '.join(line.name for line in found) or 'none'}"
    )


def read_amount(text: str) -> int:
    """Return an amount as people write it in nano-units; raises InvalidInput."""
    try:
        return parse_nano(text)
    except ValueError as fault:
        raise InvalidInput(str(fault), "AMOUNT") from fault


def _show_top_up(session: Session, organization: OrganizationView, made: TopUpView) -> None:
    if made.balance_nano is None:
        text = f"{format_nano(made.amount_nano, made.currency)} for {organization.name} is proposed as {made.id}"
        session.output.show_view(made, f"{text}; another admin's key approves it with `keisan top-ups approve`")
    else:
        session.output.show_view(made, f"{organization.name} has {format_nano(made.balance_nano, made.currency)}")


def _read_top_up(amount: str, currency: str, note: str) -> TopUpCreate:
    try:
        return TopUpCreate(amount_nano=parse_nano(amount), currency=currency, note=note)
    except ValueError as fault:
        text = "expected an amount above zero with at most 9 decimals, and a currency such as CNY"
        raise InvalidInput(text, inside=str(fault)) from fault


async def _update(session: Session, wanted: str, change: OrganizationUpdate) -> OrganizationView:
    changed = await session.keisan.organizations.update(await choose_organization(session, wanted), change)
    await wait_for_newest(session, "they act on it once they do")
    return changed


def add_commands(application: typer.Typer) -> None:
    """Add organizations list, limit, policy, billing, top-up, credit-note, wallet-low, snapshot-age, time-zone, admit and dismiss."""
    group = typer.Typer(help="Organizations of the platform.", no_args_is_help=True)
    add_command(group, "list", list_organizations)
    add_command(group, "limit", limit_organization)
    add_command(group, "policy", set_policy)
    add_command(group, "billing", set_billing)
    add_command(group, "top-up", fill_wallet)
    add_command(group, "credit-note", write_credit_note)
    add_command(group, "wallet-low", set_wallet_low)
    add_command(group, "snapshot-age", set_snapshot_age)
    add_command(group, "time-zone", set_time_zone)
    add_command(group, "admit", admit_organization)
    add_command(group, "dismiss", end_admission)
    application.add_typer(group, name="organizations")
