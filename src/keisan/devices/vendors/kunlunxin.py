"""Kunlunxin's xpu-smi: the log of `-q`. Intel ships another tool of that name: only the text tells which one it was."""

import re
from typing import Final

from keisan.devices.log_text import LogBlock, read_log
from keisan.devices.quantity import add_known, clean_text, share_permille, take_mib, take_number
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way, keep_facts, normalize_place
from keisan.domain.sample import SampleName

VENDOR: Final = "kunlunxin"
_LOG: Final = Query(("-q",))
# How Intel's tool lists its devices: what it says of them is kept as of devices that nobody knows.
_DISCOVERY: Final = Query(("discovery", "-j"))
TOOL: Final = Tool(
    "xpu-smi", (Way(inventory=(_LOG,), samples=(_LOG,)), Way(inventory=(_DISCOVERY,), samples=(_DISCOVERY,)))
)
_BLOCK: Final = re.compile(r"XPU [0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d$")


def is_kunlunxin(text: str) -> bool:
    """Tell whether it is Kunlunxin's log."""
    return "XPUSMI LOG" in text


def parse_kunlunxin(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    head, blocks = read_log(text, _BLOCK)
    return tuple(_read_block(block, head) for block in blocks)


def _read_block(block: LogBlock, head: LogBlock) -> DeviceReading:
    names = SampleName
    used, total = take_mib(block.find("Memory Usage/Used")), take_mib(block.find("Memory Usage/Total"))
    return DeviceReading(
        vendor=VENDOR,
        name=clean_text(block.find("Product Name")),
        uuid=clean_text(block.find("XPU UUID")),
        serial=clean_text(block.find("Serial Number")),
        place=normalize_place(block.title),
        memory_mib=total,
        values={
            names.UTILIZATION_PERMILLE: take_number(block.find("Utilization/Xpu"), 10),
            names.MEMORY_USED_MIB: used,
            names.MEMORY_UTILIZATION_PERMILLE: share_permille(used, total),
            names.TEMPERATURE_MILLICELSIUS: take_number(block.find("XPU Current Temp"), 1000),
            names.POWER_MILLIWATTS: take_number(block.find("Power Readings/Power Draw"), 1000),
            names.POWER_LIMIT_MILLIWATTS: take_number(block.find("Enforced Power Limit"), 1000),
            names.CLOCK_MHZ: take_number(block.find("Clocks/Cluster")),
            names.ECC_CORRECTED_COUNT: _sum(block, "Correctable"),
            names.ECC_UNCORRECTED_COUNT: _sum(block, "Uncorrectable"),
            names.PROCESS_COUNT: _count_processes(block),
        },
        facts=keep_facts(
            {
                "driver_version": head.find("Driver Version"),
                "firmware_version": block.find("ALL Version"),
                "part_number": block.find("XPU Part Number"),
                "architecture": block.find("Product Architecture"),
            }
        ),
    )


def _sum(block: LogBlock, ending: str) -> float | None:
    counted = (value for name, value in block.fields.items() if "Aggregate/" in name and name.endswith(f" {ending}"))
    return add_known(*(take_number(value) for value in counted))


def _count_processes(block: LogBlock) -> float | None:
    """Return 0 for a log that says that there are none; those that there are share one name, so they are not counted."""
    return 0.0 if block.find("Processes") == "None" else None


PARSER: Final = Parser(VENDOR, is_kunlunxin, parse_kunlunxin)
