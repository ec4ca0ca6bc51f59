"""AMD's amd-smi, in JSON, and rocm-smi, which it replaces."""

import json
from collections.abc import Mapping
from typing import Final

from keisan.devices.quantity import add_known, clean_text, share_permille, take_mib, take_number
from keisan.devices.query_text import encode_throttle
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way, keep_facts, normalize_place
from keisan.devices.vendors.card_text import build_card_reading, is_hygon_card, read_cards
from keisan.domain.sample import SampleName, Throttle

VENDOR: Final = "amd"
# Which device a number is stands in the list alone.
_LIST: Final = Query(("list", "--json"))
TOOL: Final = Tool(
    "amd-smi",
    (
        Way(
            inventory=(
                _LIST,
                Query(("static", "--asic", "--bus", "--vbios", "--driver", "--board", "--vram", "--json")),
            ),
            samples=(
                _LIST,
                Query(("metric", "--usage", "--power", "--clock", "--temperature", "--fan", "--mem-usage", "--json")),
            ),
            dear=(Query(("metric", "--ecc", "--energy", "--xgmi-err", "--json")),),
        ),
    ),
)
_CARD: Final = Query(
    (
        *("--showid", "--showuniqueid", "--showserial", "--showproductname", "--showbus", "--showvbios"),
        *("--showmeminfo", "vram", "--showuse", "--showmemuse", "--showtemp", "--showpower", "--showmaxpower"),
        *("--showclocks", "--json"),
    )
)
ROCM_TOOL: Final = Tool("rocm-smi", (Way(inventory=(_CARD,), samples=(_CARD,)),))

Entry = Mapping[str, object]


def is_amd(text: str) -> bool:
    """Tell whether it is JSON of amd-smi, or of rocm-smi about a device that is not Hygon's."""
    cards = read_cards(text)
    if cards:
        return not any(is_hygon_card(card) for card in cards.values())
    return bool(_read_entries(text))


def parse_amd(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    cards = read_cards(text)
    if cards:
        return tuple(build_card_reading(number, card, VENDOR) for number, card in cards.items())
    return tuple(_build_reading(entry) for entry in _read_entries(text))


def _read_entries(text: str) -> tuple[Entry, ...]:
    """Return amd-smi's list of devices, which later releases put under "gpu_data"."""
    if not text.lstrip().startswith(("[", "{")):
        return ()
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    listed = found.get("gpu_data") if isinstance(found, dict) else found
    if not isinstance(listed, list):
        return ()
    return tuple(entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("gpu"), int))


def _find_value(entry: Entry, *path: str) -> object:
    found: object = entry
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _build_reading(entry: Entry) -> DeviceReading:
    serial = clean_text(_find_value(entry, "asic", "asic_serial")) or clean_text(
        _find_value(entry, "board", "product_serial")
    )
    return DeviceReading(
        vendor=VENDOR,
        name=clean_text(_find_value(entry, "asic", "market_name")),
        uuid=clean_text(entry.get("uuid")),
        serial=serial,
        place=normalize_place(entry.get("bdf") or _find_value(entry, "bus", "bdf")),
        number=str(entry["gpu"]),
        memory_mib=take_mib(_find_value(entry, "vram", "size") or _find_value(entry, "mem_usage", "total_vram")),
        values=_read_values(entry),
        facts=keep_facts(
            {
                "driver_version": _find_value(entry, "driver", "version"),
                "firmware_version": _find_value(entry, "vbios", "version"),
                "part_number": _find_value(entry, "vbios", "part_number"),
                "device_id": _find_value(entry, "asic", "device_id"),
                "architecture": _find_value(entry, "asic", "target_graphics_version"),
            }
        ),
    )


def _read_values(entry: Entry) -> dict[SampleName, float | None]:
    names = SampleName
    temperature = _find_value(entry, "temperature", "hotspot"), _find_value(entry, "temperature", "edge")
    used, total = (
        take_mib(_find_value(entry, "mem_usage", "used_vram")),
        take_mib(_find_value(entry, "mem_usage", "total_vram")),
    )
    return {
        names.UTILIZATION_PERMILLE: take_number(_find_value(entry, "usage", "gfx_activity"), 10),
        names.MEMORY_USED_MIB: used,
        names.MEMORY_UTILIZATION_PERMILLE: share_permille(used, total),
        names.TEMPERATURE_MILLICELSIUS: _choose_first(*(take_number(found, 1000) for found in temperature)),
        names.MEMORY_TEMPERATURE_MILLICELSIUS: take_number(_find_value(entry, "temperature", "mem"), 1000),
        names.POWER_MILLIWATTS: take_number(
            _find_value(entry, "power", "socket_power") or _find_value(entry, "power", "average_socket_power"), 1000
        ),
        names.CLOCK_MHZ: take_number(_find_value(entry, "clock", "gfx_0", "clk")),
        names.MEMORY_CLOCK_MHZ: take_number(_find_value(entry, "clock", "mem_0", "clk")),
        names.FAN_PERMILLE: take_number(_find_value(entry, "fan", "usage"), 10),
        names.THROTTLE_FLAGS: _read_throttle(_find_value(entry, "power", "throttle_status")),
        names.ENERGY_KILOJOULES: take_number(_find_value(entry, "energy", "total_energy_consumption"), 1e-3),
        names.LINK_ERROR_COUNT: _count_link_errors(entry.get("xgmi_err")),
        names.ECC_CORRECTED_COUNT: take_number(_find_value(entry, "ecc", "total_correctable_count")),
        names.ECC_UNCORRECTED_COUNT: take_number(_find_value(entry, "ecc", "total_uncorrectable_count")),
    }


def _choose_first(*found: float | None) -> float | None:
    return next((number for number in found if number is not None), None)


def _read_throttle(found: object) -> float | None:
    """Return OTHER for a device that is throttled, as why is not told."""
    text = clean_text(found).upper()
    if not text:
        return None
    return float(encode_throttle(set() if text == "UNTHROTTLED" else {Throttle.OTHER}))


def _count_link_errors(found: object) -> float | None:
    if isinstance(found, dict):
        return add_known(*(take_number(value) for name, value in found.items() if "error" in str(name)))
    return 0.0 if "no errors" in str(found or "").lower() else None


PARSER: Final = Parser(VENDOR, is_amd, parse_amd)
