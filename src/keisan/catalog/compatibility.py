"""Compatibility records of the catalogue as TOML: one file for an engine, a table for each record."""

from dataclasses import dataclass

from keisan.catalog.reader import Place, build, parse_toml
from keisan.domain.compatibility import Compatibility


@dataclass(frozen=True, slots=True)
class _File:
    """All records of a file."""

    records: tuple[Compatibility, ...]


def parse_compatibilities(text: str, file_name: str) -> tuple[Compatibility, ...]:
    """Return the records of one catalogue file; raises InvalidInput naming the file and field that are wrong."""
    return build(_File, parse_toml(text, file_name), Place(file_name)).records
