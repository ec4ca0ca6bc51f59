"""What the catalogue is asked for: models, and the catalogue of chips, makers, advisories and compatibility, from files."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Protocol, TypeVar

from keisan.catalog.advisory import parse_advisory
from keisan.catalog.chip import parse_chip
from keisan.catalog.compatibility import parse_compatibilities
from keisan.catalog.maker import parse_maker
from keisan.catalog.model import CatalogModel, parse_model
from keisan.domain.catalog import Catalog, check_catalog
from keisan.domain.chip import Chip
from keisan.domain.errors import InvalidInput

Entry = TypeVar("Entry")
Record = TypeVar("Record", bound="Named")


class Named(Protocol):
    """A record with an id, which its file is named by."""

    @property
    def id(self) -> str: ...


def load_models() -> tuple[CatalogModel, ...]:
    """Return the models that ship with keisan, by name; raises InvalidInput naming the file and field that are wrong."""
    return tuple(_load_all("models", parse_model))


def load_chips() -> tuple[Chip, ...]:
    """Return the chips that ship with keisan, by id; raises InvalidInput naming the file and field that are wrong."""
    return tuple(_load_named("chips", parse_chip).values())


def load_catalog() -> Catalog:
    """Return all that ships with keisan but its models, checked as one; raises InvalidInput naming what is wrong."""
    return check_catalog(
        Catalog(
            chips={chip.id: chip for chip in load_chips()},
            makers=_load_named("makers", parse_maker),
            advisories=_load_named("advisories", parse_advisory),
            compatibilities=tuple(
                record for records in _load_all("compatibility", parse_compatibilities) for record in records
            ),
        )
    )


def _load_named(folder: str, parse: Callable[[str, str], Record]) -> dict[str, Record]:
    """Return records by id. As each is named by its file, no two have the same."""

    def check_name(text: str, file_name: str) -> Record:
        record = parse(text, file_name)
        if file_name != f"{folder}/{record.id}.toml":
            raise InvalidInput(f"{file_name}: expected the name of the file in id, got '{record.id}'", "id")
        return record

    return {record.id: record for record in _load_all(folder, check_name)}


def _load_all(folder: str, parse: Callable[[str, str], Entry]) -> Iterator[Entry]:
    for file in sorted(_list_files(folder), key=lambda file: file.name):
        yield parse(file.read_text(encoding="utf-8"), f"{folder}/{file.name}")


def _list_files(folder: str) -> Iterator[Traversable]:
    entries = files("keisan.catalog").joinpath("data", folder).iterdir()
    return (entry for entry in entries if entry.name.endswith(".toml"))
