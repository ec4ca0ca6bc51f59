"""Models of the catalogue as TOML, with the price that a first start gives them."""

from collections.abc import Mapping
from dataclasses import dataclass

from keisan.catalog.reader import Place, build, check_names, convert, parse_toml, take_table
from keisan.domain.errors import InvalidInput
from keisan.domain.model import ModelFacts
from keisan.domain.price import TokenClass, check_price

_TABLES = frozenset({"facts", "price"})
_PRICE_FIELDS = frozenset({"currency", "nano_per_million"})


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model and the price a first start gives it: nano-units of `currency` per 1,000,000 tokens of each class."""

    facts: ModelFacts
    currency: str
    nano_per_million: Mapping[TokenClass, int]


def parse_model(text: str, file_name: str) -> CatalogModel:
    """Return the model of one catalogue file; raises InvalidInput naming the file and field that are wrong."""
    place, tables = Place(file_name), parse_toml(text, file_name)
    check_names(tables, _TABLES, place)
    price = take_table(tables, "price", place)
    check_names(price, _PRICE_FIELDS, place.enter("price"))
    nano_per_million = {}
    amounts_place = place.enter("price").enter("nano_per_million")
    for name, nano in take_table(price, "nano_per_million", place.enter("price")).items():
        where = amounts_place.enter(name)
        nano_per_million[convert(TokenClass, name, where)] = convert(int, nano, where)
    try:
        check_price(nano_per_million)
    except InvalidInput as failure:
        raise InvalidInput(f"{file_name}: {failure.outside}", f"price.{failure.field}") from failure
    return CatalogModel(
        facts=build(ModelFacts, take_table(tables, "facts", place), place.enter("facts")),
        currency=convert(str, price.get("currency"), place.enter("price").enter("currency")),
        nano_per_million=nano_per_million,
    )
