"""`keisan models`: what can be called, at what price."""

from collections.abc import Mapping
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.errors import NotFound
from keisan.domain.price import TokenClass
from keisan.kit.units import format_bytes, format_nano
from keisan.sdk import ModelView, PriceView


async def list_models(session: Session) -> None:
    """List the models of the platform with their prices per million tokens."""
    models = [model async for model in session.keisan.models.list()]
    prices = {price.id: price async for price in session.keisan.prices.list()}
    rows = [(model.name, model.precision, model.context_tokens, *_price(model, prices)) for model in models]
    columns = ("model", "precision", "context", "input / M", "cached / M", "output / M")
    session.output.show_views(models, columns, rows)


def _price(model: ModelView, prices: Mapping[UUID, PriceView]) -> tuple[str, str, str]:
    price = prices.get(model.price_id) if model.price_id else None
    if price is None:
        return ("none", "none", "none")
    nano = price.nano_per_million
    classes = (TokenClass.INPUT, TokenClass.INPUT_CACHED, TokenClass.OUTPUT)
    told = [format_nano(nano[one], price.currency) if one in nano else "as input" for one in classes]
    return (told[0], told[1], told[2])


async def show_model(session: Session, name: str) -> None:
    """Show all that is known of one model."""
    model = await find_model(session, name)
    facts = model.model_dump(mode="json") | {"weights_bytes": format_bytes(model.weights_bytes)}
    session.output.show_view(model, "\n".join(f"{field:<22}{text}" for field, text in facts.items()))


async def find_model(session: Session, name: str) -> ModelView:
    """Return the model of a name; raises NotFound naming those there are."""
    known = [model async for model in session.keisan.models.list()]
    for model in known:
        if model.name == name:
            return model
    raise NotFound(f"there is no model '{name}'; there are: {', '.join(model.name for model in known) or 'none'}")


def add_commands(application: typer.Typer) -> None:
    """Add models list and show; `models` alone lists."""
    group = typer.Typer(help="Models that can be called, and their prices.", no_args_is_help=True)
    add_command(group, "list", list_models)
    add_command(group, "show", show_model)
    application.add_typer(group, name="models")
