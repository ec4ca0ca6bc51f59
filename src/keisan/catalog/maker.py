"""Makers of the catalogue as TOML."""

from keisan.catalog.reader import Place, build, parse_toml
from keisan.domain.maker import Maker


def parse_maker(text: str, file_name: str) -> Maker:
    """Return the maker of one catalogue file; raises InvalidInput naming the file and field that are wrong."""
    return build(Maker, parse_toml(text, file_name), Place(file_name))
