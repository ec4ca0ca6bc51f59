"""Reading catalogue files: models and chips as TOML, typed, each fault named with its file and field."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar, get_args, get_origin, get_type_hints

from keisan.domain.chip import Chip, ChipFact
from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.fact import CHIP_FACTS, FactName, is_fact_value
from keisan.domain.model import ModelFacts
from keisan.domain.price import TokenClass, check_price

Entry = TypeVar("Entry")
_MODEL_TABLES = frozenset({"facts", "price"})
_PRICE_FIELDS = frozenset({"currency", "nano_per_million"})


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model and the price a first start gives it: nano-units of `currency` per 1,000,000 tokens of each class."""

    facts: ModelFacts
    currency: str
    nano_per_million: Mapping[TokenClass, int]


@dataclass(frozen=True, slots=True)
class _ChipEntry:
    """What a chip's file says beside its facts."""

    id: str
    name: str
    kind: str
    architecture: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class _FactEntry:
    """A fact as a file has it: its evidence stands flat beside its values."""

    values: tuple[str, ...]
    source: str
    grade: Grade
    date: date


def load_models() -> tuple[CatalogModel, ...]:
    """Return the models that ship with keisan, by name; raises InvalidInput naming the file and field that are wrong."""
    return tuple(_load_all("models", parse_model))


def load_chips() -> tuple[Chip, ...]:
    """Return the chips that ship with keisan, by id; raises InvalidInput naming the file and field that are wrong."""
    return tuple(_load_all("chips", parse_chip))


def parse_model(text: str, file_name: str) -> CatalogModel:
    """Return the model of one catalogue file; raises InvalidInput naming the file and field that are wrong."""
    tables = _parse_toml(text, file_name)
    _check_names(tables, _MODEL_TABLES, (file_name, ""))
    price = _take_table(tables, "price", (file_name, ""))
    _check_names(price, _PRICE_FIELDS, (file_name, "price."))
    nano_per_million = {}
    for name, nano in _take_table(price, "nano_per_million", (file_name, "price.")).items():
        where = (file_name, f"price.nano_per_million.{name}")
        nano_per_million[_convert(TokenClass, name, where)] = _convert(int, nano, where)
    try:
        check_price(nano_per_million)
    except InvalidInput as failure:
        raise InvalidInput(f"{file_name}: {failure.outside}", f"price.{failure.field}") from failure
    return CatalogModel(
        facts=_build(ModelFacts, _take_table(tables, "facts", (file_name, "")), (file_name, "facts.")),
        currency=_convert(str, price.get("currency"), (file_name, "price.currency")),
        nano_per_million=nano_per_million,
    )


def parse_chip(text: str, file_name: str) -> Chip:
    """Return the chip of one catalogue file; raises InvalidInput naming the file and field that are wrong."""
    table = _parse_toml(text, file_name)
    facts = _take_table(table, "facts", (file_name, "")) if "facts" in table else {}
    entry = _build(_ChipEntry, {name: found for name, found in table.items() if name != "facts"}, (file_name, ""))
    _check_names(facts, frozenset(CHIP_FACTS), (file_name, "facts."))
    return Chip(
        id=entry.id,
        name=entry.name,
        kind=entry.kind,
        architecture=entry.architecture,
        evidence=entry.evidence,
        facts={name: _parse_fact(facts, name, file_name) for name in CHIP_FACTS if name in facts},
    )


def _parse_fact(facts: Mapping[str, object], name: FactName, file_name: str) -> ChipFact:
    where = (file_name, f"facts.{name}.")
    entry = _build(_FactEntry, _take_table(facts, name, (file_name, "facts.")), where)
    if not entry.values and name is not FactName.ADVISORY:
        raise _refuse((file_name, f"{where[1]}values"), "a value, as what is not known is left out", None)
    for position, value in enumerate(entry.values):
        if not is_fact_value(value):
            raise _refuse((file_name, f"{where[1]}values[{position}]"), "letters, digits and ._:/-", value)
    return ChipFact(entry.values, Evidence(entry.source, entry.grade, entry.date))


def _load_all(folder: str, parse: Callable[[str, str], Entry]) -> Iterator[Entry]:
    for file in sorted(_list_files(folder), key=lambda file: file.name):
        yield parse(file.read_text(encoding="utf-8"), f"{folder}/{file.name}")


def _list_files(folder: str) -> Iterator[Traversable]:
    entries = files("keisan.catalog").joinpath("data", folder).iterdir()
    return (entry for entry in entries if entry.name.endswith(".toml"))


def _parse_toml(text: str, file_name: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise InvalidInput(f"{file_name}: this is not TOML: {failure}", "") from failure


def _take_table(table: Mapping[str, object], name: str, where: tuple[str, str]) -> dict[str, object]:
    found = table.get(name)
    if not isinstance(found, dict):
        raise _refuse((where[0], f"{where[1]}{name}"), "a table", found)
    return found


def _build(kind: type[Entry], table: Mapping[str, object], where: tuple[str, str]) -> Entry:
    """Return the dataclass `kind` made of a table; `where` is the file and the path of the table's fields in it."""
    file_name, path = where
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # every caller gives a dataclass
    _check_names(table, frozenset(names), where)
    return kind(**{name: _convert(hints[name], table.get(name), (file_name, f"{path}{name}")) for name in names})


def _check_names(table: Mapping[str, object], known: frozenset[str], where: tuple[str, str]) -> None:
    file_name, path = where
    for name in sorted(table.keys() - known):
        raise InvalidInput(f"{file_name}: there is no field {path}{name}", f"{path}{name}")


def _convert(kind: type[Entry], found: object, where: tuple[str, str]) -> Entry:
    if get_origin(kind) is tuple and isinstance(found, list):
        entry_kind = get_args(kind)[0]
        entries = (_convert(entry_kind, entry, (where[0], f"{where[1]}[{n}]")) for n, entry in enumerate(found))
        return tuple(entries)  # type: ignore[return-value]  # kind is tuple[entry_kind, ...]
    if kind is Evidence and isinstance(found, dict):
        return _build(kind, found, (where[0], f"{where[1]}."))
    if get_origin(kind) is None and issubclass(kind, StrEnum) and isinstance(found, str):
        if found in list(kind):
            return kind(found)
        raise _refuse(where, f"one of {', '.join(kind)}", found)
    # bool is an int in Python, and no count is true or false.
    if get_origin(kind) is None and type(found) is kind and found != "":
        return found
    raise _refuse(where, getattr(kind, "__name__", str(kind)), found)


def _refuse(where: tuple[str, str], expected: str, found: object) -> InvalidInput:
    file_name, path = where
    got = "nothing" if found is None else f"{found!r}"
    return InvalidInput(f"{file_name}: expected {expected} in {path}, got {got}", path)
