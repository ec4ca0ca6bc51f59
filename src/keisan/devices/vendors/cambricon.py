"""Cambricon's cnmon: the text of `cnmon info`, and the JSON that its -j writes."""

import json
import re
from typing import Final

from keisan.devices.log_text import LogBlock, read_log
from keisan.devices.quantity import clean_text, share_permille, take_mib, take_number
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way, keep_facts, normalize_place
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict

VENDOR: Final = "cambricon"
_INFO: Final = Query(("info",))
TOOL: Final = Tool("cnmon", (Way(inventory=(_INFO,), samples=(_INFO,)),))
_CARD: Final = re.compile(r"Card (\d+)$")


def is_cambricon(text: str) -> bool:
    """Tell whether it is the text, with a product of this maker, or the JSON."""
    if '"CnmonInfo"' in text:
        return True
    return re.search(r"^\s*Card \d+\s*$", text, re.MULTILINE) is not None and "MLU" in text


def parse_cambricon(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    if '"CnmonInfo"' in text:
        return _parse_json(text)
    head, blocks = read_log(text, _CARD)
    return tuple(_read_block(block, head) for block in blocks)


def _read_block(block: LogBlock, head: LogBlock) -> DeviceReading:
    names = SampleName
    used = take_mib(block.find("Physical Memory Usage/Used"))
    total = take_mib(block.find("Physical Memory Usage/Total"))
    return DeviceReading(
        vendor=VENDOR,
        name=clean_text(block.find("Product Name")),
        uuid=clean_text(block.find("UUID")),
        serial=clean_text(block.find("Serial Number", "SN")),
        place=normalize_place(block.find("Bus Id", "PCI/Bus Id", "PCIe/Bus Id")),
        number=block.title.split()[-1],
        memory_mib=total,
        verdict=_judge(block.find("Health", "Health State")),
        values={
            names.UTILIZATION_PERMILLE: take_number(block.find("MLU Average"), 10),
            names.MEMORY_USED_MIB: used,
            names.MEMORY_UTILIZATION_PERMILLE: share_permille(used, total),
            names.TEMPERATURE_MILLICELSIUS: take_number(block.find("Temperature/Chip"), 1000),
            names.MEMORY_TEMPERATURE_MILLICELSIUS: take_number(block.find("Temperature/Memory"), 1000),
            names.POWER_MILLIWATTS: take_number(block.find("Power/Usage"), 1000),
            names.POWER_LIMIT_MILLIWATTS: take_number(block.find("Power/Cap"), 1000),
            names.FAN_PERMILLE: take_number(block.find("Fan Speed", "Fan/Speed"), 10),
        },
        facts=keep_facts(
            {
                "driver_version": block.find("Driver Version", "Driver") or head.find("Driver Version"),
                "firmware_version": block.find("Firmware Version", "Firmware"),
            }
        ),
    )


def _judge(health: str) -> Verdict | None:
    """Return the verdict of the tool's word for health; releases before CNToolkit 3 have none."""
    word = clean_text(health).lower()
    if not word:
        return None
    return Verdict.OK if word in {"ok", "good", "healthy", "health"} else Verdict.FAILED


def _parse_json(text: str) -> tuple[DeviceReading, ...]:
    try:
        cards = json.loads(text)["CnmonInfo"]
    except (ValueError, TypeError, KeyError):
        return ()
    return tuple(_read_card(card) for card in cards if isinstance(card, dict)) if isinstance(cards, list) else ()


def _read_card(card: dict[str, object]) -> DeviceReading:
    def find_value(table: str, name: str) -> object:
        found = card.get(table)
        return found.get(name) if isinstance(found, dict) else None

    names = SampleName
    parts = [clean_text(find_value("PCI", name)) for name in ("DomainID", "Bus", "Device", "Function")]
    used, total = take_mib(find_value("PhysicalMemUsage", "Used")), take_mib(find_value("PhysicalMemUsage", "Total"))
    return DeviceReading(
        vendor=VENDOR,
        name=clean_text(card.get("ProductName")),
        uuid=clean_text(card.get("UUID")),
        serial=clean_text(card.get("SN")),
        place=normalize_place(f"{parts[0]}:{parts[1].zfill(2)}:{parts[2].zfill(2)}.{parts[3]}") if all(parts) else "",
        number=clean_text(card.get("CardNum")),
        memory_mib=total,
        values={
            names.UTILIZATION_PERMILLE: take_number(find_value("Utilization", "MLUAverage"), 10),
            names.MEMORY_USED_MIB: used,
            names.MEMORY_UTILIZATION_PERMILLE: share_permille(used, total),
            names.TEMPERATURE_MILLICELSIUS: take_number(find_value("Temperature", "Chip"), 1000),
            names.POWER_MILLIWATTS: take_number(find_value("Power", "Usage"), 1000),
            names.POWER_LIMIT_MILLIWATTS: take_number(find_value("Power", "Cap"), 1000),
        },
        facts=keep_facts(
            {"driver_version": card.get("DriverVersion"), "firmware_version": card.get("FirmwareVersion")}
        ),
    )


PARSER: Final = Parser(VENDOR, is_cambricon, parse_cambricon)
