"""Moore Threads' mthreads-gmi: the JSON of `-q --json`."""

import json
from collections.abc import Mapping
from typing import Final

from keisan.devices.quantity import clean_text, share_permille, take_mib, take_number
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way, keep_facts, normalize_place
from keisan.domain.sample import SampleName

VENDOR: Final = "mthreads"
_LOG: Final = Query(("-q", "--json"))
TOOL: Final = Tool("mthreads-gmi", (Way(inventory=(_LOG,), samples=(_LOG,)),))

Table = Mapping[str, object]


def is_mthreads(text: str) -> bool:
    """Tell whether it is the JSON, about products named MTT."""
    _, entries = _read_entries(text)
    return any("MTT" in str(_find(entry, "product name") or "") for entry in entries)


def parse_mthreads(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    driver, entries = _read_entries(text)
    return tuple(_read_entry(entry, driver) for entry in entries)


def _read_entries(text: str) -> tuple[str, tuple[Table, ...]]:
    if not text.lstrip().startswith("{"):
        return "", ()
    try:
        found = json.loads(text)
    except ValueError:
        return "", ()
    listed = found.get("GPU")
    entries = tuple(entry for entry in listed if isinstance(entry, dict)) if isinstance(listed, list) else ()
    return clean_text(found.get("Driver Version")), entries


def _find(table: Table, *path: str) -> object:
    """Return a value by names without regard to case and blanks: the tool writes "Power Draw " in one place."""
    found: object = table
    for name in path:
        if not isinstance(found, dict):
            return None
        found = next((value for key, value in found.items() if key.strip().lower() == name), None)
    return found


def _read_entry(entry: Table, driver: str) -> DeviceReading:
    names = SampleName
    used = take_mib(_find(entry, "fb memory usage", "used"))
    total = take_mib(_find(entry, "fb memory usage", "total"))
    return DeviceReading(
        vendor=VENDOR,
        name=clean_text(_find(entry, "product name")),
        uuid=clean_text(_find(entry, "gpu uuid") or _find(entry, "uuid")),
        serial=clean_text(_find(entry, "serial number")),
        place=normalize_place(_find(entry, "pci", "bus id") or _find(entry, "bus id")),
        number=clean_text(_find(entry, "index")),
        memory_mib=total,
        values={
            names.UTILIZATION_PERMILLE: take_number(_find(entry, "utilization", "gpu"), 10),
            names.MEMORY_USED_MIB: used,
            names.MEMORY_UTILIZATION_PERMILLE: share_permille(used, total),
            names.TEMPERATURE_MILLICELSIUS: take_number(_find(entry, "temperature", "gpu current temp"), 1000),
            names.MEMORY_TEMPERATURE_MILLICELSIUS: take_number(
                _find(entry, "temperature", "memory current temp"), 1000
            ),
            names.POWER_MILLIWATTS: take_number(_find(entry, "power readings", "power draw"), 1000),
            names.POWER_LIMIT_MILLIWATTS: take_number(_find(entry, "power readings", "power limit"), 1000),
            names.CLOCK_MHZ: take_number(_find(entry, "clocks", "graphics")),
            names.MEMORY_CLOCK_MHZ: take_number(_find(entry, "clocks", "memory")),
        },
        facts=keep_facts({"driver_version": driver, "firmware_version": _find(entry, "vbios version")}),
    )


PARSER: Final = Parser(VENDOR, is_mthreads, parse_mthreads)
