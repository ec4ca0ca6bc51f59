"""Reading templates of supernodes: TOML files, typed, each fault named with its file and field; no value without evidence."""

import tomllib
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from typing import Annotated, TypeVar

import msgspec

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.supernode import Cooling
from keisan.domain.supernode_template import (
    TEXT_FACTS,
    SupernodeTemplate,
    TemplateFact,
    TemplateFactName,
    TierTemplate,
    Wiring,
    check_template,
)

Entry = TypeVar("Entry")
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Number = Annotated[int, msgspec.Meta(ge=1)]


class _Sourced(msgspec.Struct, forbid_unknown_fields=True):
    """Where a table's values are from."""

    source: _Text
    grade: Grade
    date: date

    def get_evidence(self) -> Evidence:
        return Evidence(self.source, self.grade, self.date)


class _FactEntry(_Sourced, forbid_unknown_fields=True):
    values: Annotated[tuple[str | int, ...], msgspec.Meta(min_length=1)]


class _TierEntry(msgspec.Struct, forbid_unknown_fields=True):
    group_members: _Number
    plane_count: _Number
    switches_per_plane: _Number
    link_bytes_per_s: _Number | None = None


class _WiringEntry(_Sourced, forbid_unknown_fields=True):
    mesh_members: _Number | None = None
    mesh_bytes_per_s: _Number | None = None
    tiers: tuple[_TierEntry, ...] = ()


class _TemplateEntry(msgspec.Struct, forbid_unknown_fields=True):
    id: _Text
    name: _Text
    member_count: _Number
    evidence: _Sourced
    facts: dict[str, dict[str, object]]
    wiring: _WiringEntry | None = None


def load_supernode_templates() -> tuple[SupernodeTemplate, ...]:
    """Return the templates that ship with keisan, by id; raises InvalidInput naming the file and field that are wrong."""
    folder = files("keisan.catalog").joinpath("data", "supernodes")
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(parse_template(file.read_text(encoding="utf-8"), f"supernodes/{file.name}") for file in found)


def parse_template(text: str, file_name: str) -> SupernodeTemplate:
    """Return the template of one catalogue file; raises InvalidInput naming the file and field that are wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise InvalidInput(f"{file_name}: this is not TOML: {failure}") from failure
    try:
        entry = _convert(table, _TemplateEntry, "")
        template = SupernodeTemplate(
            id=entry.id,
            name=entry.name,
            member_count=entry.member_count,
            evidence=entry.evidence.get_evidence(),
            facts={_name_fact(name): _read_fact(name, table) for name, table in entry.facts.items()},
            wiring=None if entry.wiring is None else _read_wiring(entry.wiring),
        )
        check_template(template)
    except InvalidInput as failure:
        raise InvalidInput(f"{file_name}: {failure.outside}", failure.field) from failure
    return template


def _name_fact(name: str) -> TemplateFactName:
    if name not in list(TemplateFactName):
        raise InvalidInput(f"there is no fact '{name}'", f"facts.{name}")
    return TemplateFactName(name)


def _read_fact(name: str, table: Mapping[str, object]) -> TemplateFact:
    entry = _convert(table, _FactEntry, f"facts.{name}.")
    texts = tuple(value for value in entry.values if isinstance(value, str))
    numbers = tuple(value for value in entry.values if isinstance(value, int))
    is_right = len(texts if name in TEXT_FACTS else numbers) == len(entry.values)
    if name == TemplateFactName.COOLING:
        is_right = is_right and set(texts) <= set(Cooling)
    if not is_right:
        expected = "words that are known" if name in TEXT_FACTS else "whole numbers"
        raise InvalidInput(f"expected {expected} in facts.{name}.values", f"facts.{name}.values")
    return TemplateFact(texts or numbers, entry.get_evidence())


def _read_wiring(entry: _WiringEntry) -> Wiring:
    tiers = tuple(
        TierTemplate(tier.group_members, tier.plane_count, tier.switches_per_plane, tier.link_bytes_per_s)
        for tier in entry.tiers
    )
    return Wiring(entry.get_evidence(), entry.mesh_members or 0, entry.mesh_bytes_per_s, tiers)


def _convert(table: Mapping[str, object], kind: type[Entry], path: str) -> Entry:
    """Return a table as an entry; raises InvalidInput with the path at which msgspec found a fault."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as failure:
        # It ends with where it is, unless that is the whole: - at `$.evidence.grade`
        expected, _, place = str(failure).partition(" - at `$.")
        field = (path + place.rstrip("`")).rstrip(".")
        raise InvalidInput(f"{expected} in {field or 'the file'}", field) from failure
