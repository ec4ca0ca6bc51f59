"""Biren's brsmi: CSV queries in nvidia-smi's words, under its subcommand `gpu`."""

import re
from typing import Final

from keisan.devices.query_text import build_reading, read_query
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way

VENDOR: Final = "biren"
_NAME: Final = re.compile(r"(Biren|BIREN|BR)\s*-?\d{3}")
_FIELDS: Final = "index,name,uuid,pci.bus_id,memory.total,memory.used,utilization.gpu,temperature.gpu,power.draw"
# A field that a release does not know fails the whole query: then the fewest that tell devices apart.
_WHOLE: Final = Query(("gpu", f"--query-gpu={_FIELDS}", "--format=csv"))
_LEAST: Final = Query(("gpu", "--query-gpu=index,name,uuid,memory.total,memory.used", "--format=csv"))
TOOL: Final = Tool("brsmi", (Way(inventory=(_WHOLE,), samples=(_WHOLE,)), Way(inventory=(_LEAST,), samples=(_LEAST,))))


def is_biren(text: str) -> bool:
    """Tell whether it is a query's answer about products of Biren."""
    return any(_NAME.match(row.get("name", "")) for row in read_query(text))


def parse_biren(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    return tuple(build_reading(row, VENDOR) for row in read_query(text))


PARSER: Final = Parser(VENDOR, is_biren, parse_biren)
