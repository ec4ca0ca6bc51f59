"""T-Head's ppu-smi: CSV queries, and a log in nvidia-smi's words, about products named PPU."""

import re
from typing import Final

from keisan.devices.query_text import build_reading, read_query
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way

VENDOR: Final = "thead"
_NAME: Final = re.compile(r"(T-Head\s+)?PPU\b|PPU-|Zhenwu\b")
_FIELDS: Final = (
    "index,name,uuid,gpu_serial,gpu_bus_id,driver_version,memory.total,memory.used,utilization.ppu,"
    "temperature.ppu,power.draw,power.limit,pcie.throughput.tx,pcie.throughput.rx"
)
_QUERY: Final = Query((f"--query-ppu={_FIELDS}", "--format=csv"))
TOOL: Final = Tool("ppu-smi", (Way(inventory=(_QUERY,), samples=(_QUERY,)),))


def is_thead(text: str) -> bool:
    """Tell whether it is a query's answer about PPUs."""
    return any(_NAME.match(row.get("name", "")) for row in read_query(text))


def parse_thead(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    return tuple(build_reading(row, VENDOR) for row in read_query(text))


PARSER: Final = Parser(VENDOR, is_thead, parse_thead)
