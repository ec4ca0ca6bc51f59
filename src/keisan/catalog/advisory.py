"""Advisories of the catalogue as TOML."""

from keisan.catalog.reader import Place, build, parse_toml
from keisan.domain.advisory import Advisory
from keisan.domain.fact import is_fact_value


def parse_advisory(text: str, file_name: str) -> Advisory:
    """Return the advisory of one catalogue file; raises InvalidInput naming the file and field that are wrong."""
    place = Place(file_name)
    advisory = build(Advisory, parse_toml(text, file_name), place)
    if not is_fact_value(advisory.id):
        raise place.enter("id").refuse("letters, digits and ._:/-, as policies name it", advisory.id)
    return advisory
