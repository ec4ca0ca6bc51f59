"""Tables of TOML as dataclasses: typed, each fault named with its file and field. Evidence may stand flat beside what it is for."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence

Entry = TypeVar("Entry")
Table = Mapping[str, object]
EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: the file, and the path in it."""

    file_name: str
    path: str = ""

    def enter(self, name: str) -> "Place":
        """Return the place of a field of this one."""
        return Place(self.file_name, f"{self.path}.{name}" if self.path else name)

    def count(self, position: int) -> "Place":
        """Return the place of an item of this list."""
        return Place(self.file_name, f"{self.path}[{position}]")

    def refuse(self, expected: str, found: object) -> InvalidInput:
        """Return the fault that something else was expected here."""
        got = "nothing" if found is None else f"{found!r}"
        return InvalidInput(f"{self.file_name}: expected {expected} in {self.path}, got {got}", self.path)


def parse_toml(text: str, file_name: str) -> dict[str, object]:
    """Return the tables of a file; raises InvalidInput for what is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise InvalidInput(f"{file_name}: this is not TOML: {failure}", "") from failure


def take_table(table: Table, name: str, place: Place) -> dict[str, object]:
    """Return a table within a table; raises InvalidInput if there is none."""
    found = table.get(name)
    if not isinstance(found, dict):
        raise place.enter(name).refuse("a table", found)
    return found


def check_names(table: Table, known: Iterable[str], place: Place) -> None:
    """Raise InvalidInput for a field that nobody reads."""
    for name in sorted(table.keys() - set(known)):
        path = place.enter(name).path
        raise InvalidInput(f"{place.file_name}: there is no field {path}", path)


def build(kind: type[Entry], table: Table, place: Place) -> Entry:
    """Return the dataclass `kind` made of a table; raises InvalidInput.

    A field with a default may be left out. An `evidence` that is no table of its own stands flat: source, grade and date.
    """
    hints = get_type_hints(kind)
    own: list[Field[Any]] = list(fields(kind))  # type: ignore[arg-type]  # every caller gives a dataclass
    names = {field.name for field in own}
    evidence_names = [field.name for field in fields(Evidence)]
    is_flat = EVIDENCE in names and EVIDENCE not in table
    check_names(table, {*names, *evidence_names} if is_flat else names, place)
    built: dict[str, object] = {}
    for field in own:
        if is_flat and field.name == EVIDENCE:
            part = {name: table[name] for name in evidence_names if name in table}
            built[field.name] = build(Evidence, part, place)
        elif field.name in table or field.default is MISSING:
            built[field.name] = convert(hints[field.name], table.get(field.name), place.enter(field.name))
    return kind(**built)


def convert(kind: Any, found: object, place: Place) -> Any:
    """Return a value of TOML as `kind` has it; raises InvalidInput for any other."""
    if get_origin(kind) is tuple and isinstance(found, list):
        item_kind = get_args(kind)[0]
        return tuple(convert(item_kind, item, place.count(position)) for position, item in enumerate(found))
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(found, dict):
        return build(kind, found, place)
    if isinstance(kind, type) and issubclass(kind, StrEnum) and isinstance(found, str):
        if found in list(kind):
            return kind(found)
        raise place.refuse(f"one of {', '.join(kind)}", found)
    # bool is an int in Python, and no count is true or false.
    if not isinstance(kind, UnionType) and type(found) is kind and found != "":
        return found
    raise place.refuse(getattr(kind, "__name__", str(kind)), found)
