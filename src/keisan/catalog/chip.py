"""Chips of the catalogue as TOML: facts, and figures with what each source says of them."""

from dataclasses import dataclass

from keisan.catalog.reader import Place, Table, build, check_names, parse_toml, take_table
from keisan.domain.chip import Chip, ChipAlias, ChipFact
from keisan.domain.evidence import Evidence
from keisan.domain.fact import CHIP_FACTS, FactName, is_fact_value
from keisan.domain.figure import FigureName, FigureValue

NOT_DISCLOSED = "not disclosed"


@dataclass(frozen=True, slots=True)
class _ChipEntry:
    """What a chip's file says beside its facts and figures."""

    id: str
    name: str
    kind: str
    architecture: str
    evidence: Evidence
    aliases: tuple[ChipAlias, ...] = ()


@dataclass(frozen=True, slots=True)
class _SourceEntry:
    """What stands beside the number of one source."""

    evidence: Evidence
    note: str = ""


def parse_chip(text: str, file_name: str) -> Chip:
    """Return the chip of one catalogue file; raises InvalidInput naming the file and field that are wrong."""
    place, table = Place(file_name), parse_toml(text, file_name)
    parts = {part: take_table(table, part, place) if part in table else {} for part in ("facts", "figures")}
    entry = build(_ChipEntry, {name: found for name, found in table.items() if name not in parts}, place)
    facts, figures = parts["facts"], parts["figures"]
    check_names(facts, CHIP_FACTS, place.enter("facts"))
    check_names(figures, FigureName, place.enter("figures"))
    return Chip(
        id=entry.id,
        name=entry.name,
        kind=entry.kind,
        architecture=entry.architecture,
        evidence=entry.evidence,
        facts={name: _parse_fact(facts, name, place.enter("facts")) for name in CHIP_FACTS if name in facts},
        figures={
            name: _parse_figure(figures[name], place.enter("figures").enter(name))
            for name in FigureName
            if name in figures
        },
        aliases=entry.aliases,
    )


def _parse_fact(facts: Table, name: FactName, place: Place) -> ChipFact:
    where = place.enter(name)
    fact = build(ChipFact, take_table(facts, name, place), where)
    if not fact.values and name is not FactName.ADVISORY:
        raise where.enter("values").refuse("a value, as what is not known is left out", None)
    for position, value in enumerate(fact.values):
        if not is_fact_value(value):
            raise where.enter("values").count(position).refuse("letters, digits and ._:/-", value)
    return fact


def _parse_figure(found: object, place: Place) -> tuple[FigureValue, ...]:
    if not isinstance(found, list) or not found:
        raise place.refuse("a list of what sources say, as what is not known is left out", found)
    return tuple(_parse_value(value, place.count(position)) for position, value in enumerate(found))


def _parse_value(found: object, place: Place) -> FigureValue:
    if not isinstance(found, dict):
        raise place.refuse("a table", found)
    low, high = _take_ends(found, place)
    rest = {name: part for name, part in found.items() if name not in ("number", "low", "high")}
    source = build(_SourceEntry, rest, place)
    return FigureValue(low, high, source.evidence, source.note)


def _take_ends(table: Table, place: Place) -> tuple[int | None, int | None]:
    """Return the ends of what a source says: `number`, or `low` and `high`, or that it is not disclosed."""
    if table.get("number") == NOT_DISCLOSED and not table.keys() & {"low", "high"}:
        return None, None
    names = ("low", "high") if "number" not in table else ("number", "number")
    ends = []
    for name in names:
        end = table.get(name)
        if type(end) is not int or end < 1:
            raise place.enter(name).refuse(f'a whole number above 0 (or "{NOT_DISCLOSED}")', end)
        ends.append(end)
    if ends[0] > ends[1] or ("number" in table and table.keys() & {"low", "high"}):
        raise place.refuse("`number`, or `low` and a higher `high`", dict(table))
    return ends[0], ends[1]
