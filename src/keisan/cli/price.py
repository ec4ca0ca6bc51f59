"""`keisan prices`: what customers pay; list all versions, make the next one for now or for later."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.key import wait_for_newest
from keisan.cli.model import find_model
from keisan.cli.offer import CLASSES, read_prices
from keisan.cli.session import Session
from keisan.cli.validity import FORMATS, describe_validity, read_instant
from keisan.kit.clock import SystemClock
from keisan.kit.units import format_nano
from keisan.sdk import ModelView, PriceCreate, PriceView

COLUMNS = ("id", "model", "version", "per million", "holds", "state")
ModelOption = Annotated[str | None, typer.Option(help="Name of a model.")]
ModelArgument = Annotated[str, typer.Argument(help="Name of the model.")]
CurrencyArgument = Annotated[str, typer.Argument(help="Of which currency, for example CNY.")]
PriceOption = Annotated[
    list[str],
    typer.Option(
        metavar="CLASS=AMOUNT", help=f"Per million units, for example input=0.5; input and output at least. {CLASSES}."
    ),
]
StartOption = Annotated[
    datetime | None, typer.Option("--from", formats=FORMATS, help="From when on (UTC), default now.")
]


async def list_prices(session: Session, model: ModelOption = None) -> None:
    """List all versions of prices, oldest first, and which are in force."""
    models = {line.id: line async for line in session.keisan.models.list()}
    wanted = (await find_model(session, model)).id if model else None
    prices = [price async for price in session.keisan.prices.list() if wanted in (None, price.model_id)]
    rows = [
        (
            price.id,
            _name_model(models, price),
            price.version,
            describe_price(price),
            describe_validity(price.effective_from, None),
            _describe_state(models, price),
        )
        for price in prices
    ]
    session.output.show_views(prices, COLUMNS, rows)


async def make_price(
    session: Session, model: ModelArgument, currency: CurrencyArgument, price: PriceOption, start: StartOption = None
) -> None:
    """Make the next version of a model's prices, tax included; calls admitted while it holds are billed by it."""
    body = PriceCreate(
        model_id=(await find_model(session, model)).id,
        currency=currency,
        nano_per_million=read_prices(price),
        effective_from=read_instant(start),
    )
    made = await session.keisan.prices.create(body)
    if start is None:
        await wait_for_newest(session, "calls are billed by the version before until they do")
    told = f"{describe_price(made)}, {describe_validity(made.effective_from, None)}"
    session.output.show_view(made, f"price {made.id} of {model} version {made.version}: {told}")


def describe_price(price: PriceView) -> str:
    """Return what a price takes per million units of each class, in a line."""
    return ", ".join(f"{name} {format_nano(nano, price.currency)}" for name, nano in price.nano_per_million.items())


def _name_model(models: Mapping[UUID, ModelView], price: PriceView) -> str:
    model = models.get(price.model_id)
    return model.name if model else str(price.model_id)


def _describe_state(models: Mapping[UUID, ModelView], price: PriceView) -> str:
    """Return how a version stands beside the one in force; the platform says which that is."""
    model = models.get(price.model_id)
    if model is not None and model.price_id == price.id:
        return "in force"
    return "to come" if price.effective_from > SystemClock().now() else "replaced"


def add_commands(application: typer.Typer) -> None:
    """Add prices list and make."""
    group = typer.Typer(help="What customers pay per million units.", no_args_is_help=True)
    add_command(group, "list", list_prices)
    add_command(group, "make", make_price)
    application.add_typer(group, name="prices")
