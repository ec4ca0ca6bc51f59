"""Huawei's npu-smi: the table of `info`, and what `info -t ...` tells of one chip.

A chip is known by the id of its die; where the tool tells none, by its board's serial number and its place on it.
"""

import re
from collections.abc import Iterator
from typing import Final

from keisan.devices.log_text import LogBlock, read_log
from keisan.devices.quantity import add_known, clean_text, share_permille, take_mib, take_number
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way, keep_facts, normalize_place
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict

VENDOR: Final = "ascend"
_TABLE: Final = Query(("info",))
TOOL: Final = Tool(
    "npu-smi",
    (
        Way(
            inventory=(
                _TABLE,
                Query(("info", "-t", "board", "-i", "{0}"), is_each=True),
                Query(("info", "-t", "board", "-i", "{0}", "-c", "{1}"), is_each=True),
            ),
            samples=(_TABLE,),
            dear=(Query(("info", "-t", "ecc", "-i", "{0}", "-c", "{1}"), is_each=True),),
        ),
    ),
)
_HEADING: Final = re.compile(r"\|\s*(NPU\s+Name|NPU\s+Chip)\b")
_BLOCK: Final = re.compile(r"NPU ID\s*:")
_PAIR: Final = re.compile(r"(\d+)\s*/\s*(\d+)")
# What the tool's guide lists for Health; a warning keeps running, but nothing new is sent there.
_HEALTH: Final = {
    "OK": Verdict.OK,
    "WARNING": Verdict.UNKNOWN,
    "UNKNOWN": Verdict.UNKNOWN,
    "ALARM": Verdict.FAILED,
    "CRITICAL": Verdict.FAILED,
}


def is_ascend(text: str) -> bool:
    """Tell whether it is the table, or what is told of one chip."""
    return _HEADING.search(text) is not None or re.search(r"^\s*NPU ID\s*:", text, re.MULTILINE) is not None


def parse_ascend(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per chip."""
    if _HEADING.search(text) is not None:
        return tuple(_walk_table(text))
    _, blocks = read_log(text, _BLOCK)
    return tuple(_read_block(block) for block in blocks)


def _walk_table(text: str) -> Iterator[DeviceReading]:
    """Yield the chips of the table: two lines each, up to the table of processes."""
    above: list[str] | None = None
    for line in text.splitlines():
        if "Process id" in line:
            return
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 3 or not cells[0][:1].isdigit():  # npu, health, measures
            continue
        if above is not None and normalize_place(cells[1]):
            yield _read_row(above, cells)
            above = None
        else:
            above = cells


def _read_row(above: list[str], below: list[str]) -> DeviceReading:
    npu, _, name = above[0].partition(" ")
    power, heat = [*above[2].split(), "", ""][:2]
    pairs = _PAIR.findall(below[2])
    # The last pair is the memory on the chip, where there is any; else it is the board's.
    used, total = next(((used, total) for used, total in reversed(pairs) if int(total)), ("", ""))
    names = SampleName
    return DeviceReading(
        vendor=VENDOR,
        name=name.strip(),
        place=normalize_place(below[1]),
        number=f"{npu}/{below[0].split()[0]}",
        memory_mib=take_mib(total),
        verdict=_HEALTH.get(above[1].upper(), Verdict.UNKNOWN),
        values={
            names.UTILIZATION_PERMILLE: take_number(next(iter(below[2].split()), ""), 10),
            names.MEMORY_USED_MIB: take_mib(used),
            names.MEMORY_UTILIZATION_PERMILLE: share_permille(take_mib(used), take_mib(total)),
            names.POWER_MILLIWATTS: take_number(power, 1000),
            names.TEMPERATURE_MILLICELSIUS: take_number(heat, 1000),
        },
    )


def _read_block(block: LogBlock) -> DeviceReading:
    npu = block.title.rpartition(":")[2].strip()
    chip = clean_text(block.find("Chip ID"))
    serial = clean_text(block.find("Serial Number"))
    names = SampleName
    return DeviceReading(
        vendor=VENDOR,
        name=clean_text(block.find("Chip Name")),
        uuid="-".join(clean_text(block.find("VDie ID")).split()),
        serial=serial,
        place=normalize_place(block.find("PCIe Bus Info")),
        # What is told of a whole board is told of its first chip.
        number=f"{npu}/{chip or '0'}",
        values={
            names.ECC_CORRECTED_COUNT: _sum(block, "Single Bit Aggregate Total Err Cnt"),
            names.ECC_UNCORRECTED_COUNT: _sum(block, "Double Bit Aggregate Total Err Cnt"),
            names.RETIRED_PAGE_COUNT: _sum(block, "Bit Isolated Pages Count"),
            names.UTILIZATION_PERMILLE: take_number(block.find("Aicore Usage Rate(%)"), 10),
            names.POWER_MILLIWATTS: take_number(
                block.find("NPU Real-time Power(W)", "Real-time Power(W)", "Power Dissipation(W)"), 1000
            ),
            names.TEMPERATURE_MILLICELSIUS: take_number(block.find("NPU Temperature (C)", "Temperature(C)"), 1000),
        },
        facts=keep_facts(
            {
                "driver_version": block.find("Software Version"),
                "firmware_version": block.find("Firmware Version"),
                "board_id": block.find("Board ID"),
                "product_name": block.find("Product Name"),
            }
        ),
    )


def _sum(block: LogBlock, ending: str) -> float | None:
    return add_known(*(take_number(value) for name, value in block.fields.items() if name.endswith(ending)))


PARSER: Final = Parser(VENDOR, is_ascend, parse_ascend)
