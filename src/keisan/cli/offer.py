"""`keisan offers`: what providers ask for their work; list them, make the next version, withdraw one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.model import find_model
from keisan.cli.provider import choose_provider
from keisan.cli.session import Session
from keisan.cli.validity import ValidityOptions, describe_validity, read_instant
from keisan.domain.errors import InvalidInput
from keisan.domain.price import TokenClass
from keisan.kit.units import format_nano, parse_nano
from keisan.sdk import OfferCreate, OfferKind, OfferView

COLUMNS = ("id", "version", "provider", "of", "kind", "asks", "holds")
CLASSES = ", ".join(TokenClass)
ProviderArgument = Annotated[str, typer.Argument(help="Name or id of the provider.")]
CurrencyArgument = Annotated[str, typer.Argument(help="Of which currency, for example CNY.")]
OfferArgument = Annotated[UUID, typer.Argument(help="Id of any of its versions.")]


@dataclass(frozen=True, slots=True)
class OfferOptions:
    """What is offered: a model, priced by class, or device-hours of a chip; and what is held, if it is reserved."""

    model: Annotated[str | None, typer.Option(help="Name of the model that is offered.")] = None
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=AMOUNT", help=f"Per million units, for example input=0.5. Classes: {CLASSES}."),
    ] = None
    chip: Annotated[str | None, typer.Option(help="Chip of which device-hours are offered.")] = None
    device_hour: Annotated[str | None, typer.Option(metavar="AMOUNT", help="Price of one device-hour.")] = None
    quantity_max: Annotated[
        int | None, typer.Option(help="Reserved: the most that is held, in units or device-hours.")
    ] = None
    term_hours: Annotated[int | None, typer.Option(help="Reserved: for how many hours.")] = None


async def list_offers(session: Session) -> None:
    """List all versions of offers, oldest first."""
    offers = [offer async for offer in session.keisan.offers.list()]
    providers = {line.id: line.name async for line in session.keisan.providers.list()}
    models = {line.id: line.name async for line in session.keisan.models.list()}
    rows = [
        (
            offer.id,
            offer.version,
            providers.get(offer.provider_id, offer.provider_id),
            models.get(offer.model_id, offer.model_id) if offer.model_id else offer.chip,
            offer.kind,
            describe_offer(offer),
            describe_validity(offer.effective_from, offer.effective_until),
        )
        for offer in offers
    ]
    session.output.show_views(offers, COLUMNS, rows)


async def make_offer(
    session: Session,
    provider: ProviderArgument,
    currency: CurrencyArgument,
    subject: OfferOptions,
    validity: ValidityOptions,
) -> None:
    """Ask a price for calls of a model, or for device-hours of a chip: the newest version in force is paid by."""
    is_reserved = subject.quantity_max is not None or subject.term_hours is not None
    body = OfferCreate(
        provider_id=(await choose_provider(session, provider)).id,
        model_id=(await find_model(session, subject.model)).id if subject.model else None,
        chip=subject.chip,
        kind=OfferKind.RESERVED if is_reserved else OfferKind.FIXED,
        currency=currency,
        nano_per_million=read_prices(subject.price or ()),
        nano_per_device_hour=None
        if subject.device_hour is None
        else _read_amount(subject.device_hour, "--device-hour"),
        quantity_max=subject.quantity_max,
        term_hours=subject.term_hours,
        effective_from=read_instant(validity.start),
        effective_until=read_instant(validity.end),
    )
    _show(session, await session.keisan.offers.create(body))


async def withdraw_offer(session: Session, offer: OfferArgument) -> None:
    """Offer nothing any more, from now on; what was offered until now stays as it was."""
    _show(session, await session.keisan.offers.withdraw(offer))


def read_prices(typed: Sequence[str]) -> dict[TokenClass, int]:
    """Return typed prices, such as input=0.5, by class in nano-units; raises InvalidInput for what is none."""
    prices: dict[TokenClass, int] = {}
    for text in typed:
        name, _, amount = text.partition("=")
        if name not in set(TokenClass):
            raise InvalidInput(f"expected one of {CLASSES}, then = and an amount, got '{text}'", "--price")
        prices[TokenClass(name)] = _read_amount(amount, "--price")
    return prices


def describe_offer(offer: OfferView) -> str:
    """Return what an offer asks, in a line."""
    if offer.is_withdrawn:
        return "withdrawn"
    told = [f"{name} {format_nano(nano, offer.currency)}" for name, nano in offer.nano_per_million.items()]
    if offer.nano_per_device_hour is not None:
        told.append(f"device-hour {format_nano(offer.nano_per_device_hour, offer.currency)}")
    if offer.kind is OfferKind.RESERVED:
        told.append(f"at most {offer.quantity_max} in {offer.term_hours} h")
    return ", ".join(told)


def _read_amount(text: str, option: str) -> int:
    try:
        return parse_nano(text)
    except ValueError as fault:
        raise InvalidInput(str(fault), option) from fault


def _show(session: Session, offer: OfferView) -> None:
    validity = describe_validity(offer.effective_from, offer.effective_until)
    session.output.show_view(offer, f"offer {offer.id} version {offer.version}: {describe_offer(offer)}, {validity}")


def add_commands(application: typer.Typer) -> None:
    """Add offers list, make and withdraw."""
    group = typer.Typer(help="What providers ask for their work.", no_args_is_help=True)
    add_command(group, "list", list_offers)
    add_command(group, "make", make_offer)
    add_command(group, "withdraw", withdraw_offer)
    application.add_typer(group, name="offers")
