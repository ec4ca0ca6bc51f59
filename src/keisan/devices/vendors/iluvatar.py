"""Iluvatar's ixsmi: the XML log and the CSV queries of nvidia-smi's form, about products of its own name."""

import re
from typing import Final

from keisan.devices.query_text import build_reading, read_query
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way
from keisan.devices.xml_text import find_products, read_xml_log

VENDOR: Final = "iluvatar"
_NAME: Final = re.compile(r"Iluvatar\b|(BI|MR|TG)-V\d+")
_LOG: Final = Query(("-q", "-x"))
TOOL: Final = Tool("ixsmi", (Way(inventory=(_LOG,), samples=(_LOG,)),))


def is_iluvatar(text: str) -> bool:
    """Tell whether it is of one of the two forms, about products of Iluvatar."""
    if text.lstrip().startswith("<"):
        return any(_NAME.match(product) for product in find_products(text))
    return any(_NAME.match(row.get("name", "")) for row in read_query(text))


def parse_iluvatar(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    if text.lstrip().startswith("<"):
        return read_xml_log(text, VENDOR)
    return tuple(build_reading(row, VENDOR) for row in read_query(text))


PARSER: Final = Parser(VENDOR, is_iluvatar, parse_iluvatar)
