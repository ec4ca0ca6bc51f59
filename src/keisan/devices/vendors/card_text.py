"""JSON by card as AMD's rocm-smi writes it, and Hygon's hy-smi after it: {"card0": {"Serial Number": ..., ...}}."""

import json
import re
from collections.abc import Mapping
from typing import Final

from keisan.devices.quantity import clean_text, take_mib, take_number
from keisan.devices.tool import DeviceReading, keep_facts, normalize_place
from keisan.domain.sample import SampleName

_CARD: Final = re.compile(r"card(\d+)$")
_CLOCK: Final = re.compile(r"\(?(\d+)\s*Mhz", re.IGNORECASE)

Card = Mapping[str, object]


def read_cards(text: str) -> dict[str, Card]:
    """Return what is said of each card, by the tool's number; empty for a text that has no such form."""
    start = text.find("{")
    if start < 0:
        return {}
    try:
        found = json.loads(text[start:])
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    matched = ((_CARD.match(name), card) for name, card in found.items())
    return {match.group(1): card for match, card in matched if match is not None and isinstance(card, dict)}


def is_hygon_card(card: Card) -> bool:
    """Tell whether a card is Hygon's: its tool has the names of AMD's, but for the maker's and the kind of the device.

    The maker's name has changed between releases of the tool; its town has not.
    """
    maker = str(card.get("Card Vendor", card.get("Card vendor", "")))
    return maker.startswith("Chengdu") or any(name.startswith(("DCU", "HCU")) for name in card)


def build_card_reading(number: str, card: Card, vendor: str) -> DeviceReading:
    """Return what a card's entry tells; releases differ in the words, so each value is looked for by its part that lasts."""

    def find(*endings: str) -> object:
        lowered = {name.lower(): value for name, value in card.items()}
        for ending in endings:
            match = next((value for name, value in lowered.items() if ending in name), None)
            if match is not None:
                return match
        return None

    names = SampleName
    return DeviceReading(
        vendor=vendor,
        name=clean_text(find("card series", "device name")),
        uuid=clean_text(find("unique id")),
        serial=clean_text(find("serial number")),
        place=normalize_place(find("pci bus")),
        number=number,
        memory_mib=_take_memory(card, "total memory (", "available memory size ("),
        values={
            names.UTILIZATION_PERMILLE: take_number(find("gpu use (%)", "dcu use (%)", "hcu use (%)"), 10),
            names.MEMORY_UTILIZATION_PERMILLE: take_number(
                find("gpu memory allocated", "gpu memory use (%)", "dcu memory use (%)", "hcu memory use (%)"), 10
            ),
            names.MEMORY_USED_MIB: _take_memory(card, "total used memory (", "used memory ("),
            names.TEMPERATURE_MILLICELSIUS: take_number(
                find("(sensor junction)", "(sensor edge)", "(sensor core)"), 1000
            ),
            names.MEMORY_TEMPERATURE_MILLICELSIUS: take_number(find("(sensor mem"), 1000),
            names.POWER_MILLIWATTS: take_number(
                find("average graphics package power", "socket graphics package power"), 1000
            ),
            names.POWER_LIMIT_MILLIWATTS: take_number(find("max graphics package power"), 1000),
            names.CLOCK_MHZ: _take_clock(find("sclk clock speed")),
            names.MEMORY_CLOCK_MHZ: _take_clock(find("mclk clock speed")),
            names.FAN_PERMILLE: take_number(find("fan speed (%)", "fan level (%)"), 10),
        },
        facts=keep_facts(
            {
                "model": find("card model"),
                "device_id": find("device id", "gpu id"),
                "firmware_version": find("vbios version"),
                "driver_version": find("driver version"),
                "architecture": find("gfx version"),
            }
        ),
    )


def _take_clock(found: object) -> float | None:
    match = _CLOCK.search(str(found or ""))
    return None if match is None else float(match.group(1))


def _take_memory(card: Card, *parts: str) -> float | None:
    """Return an amount in MiB; its unit stands in its name, in brackets."""
    for part in parts:
        for name, value in card.items():
            lowered = name.lower()
            if part in lowered and ("used" in lowered) == ("used" in part):
                unit = lowered.rpartition("(")[2].rstrip(")")
                return take_mib(f"{clean_text(value)} {unit}")
    return None
