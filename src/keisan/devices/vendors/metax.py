"""MetaX's mx-smi: the list of `-L`, which has the UUIDs, and the table, which has the measures."""

import re
from collections.abc import Iterator
from typing import Final

from keisan.devices.quantity import share_permille, take_mib, take_number
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way, keep_facts, normalize_place
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict

VENDOR: Final = "metax"
_TABLE: Final = Query(())
TOOL: Final = Tool("mx-smi", (Way(inventory=(Query(("-L",)), _TABLE), samples=(_TABLE,)),))
# GPU#0    MXC500      0000:08:00.0   Available (UUID: GPU-e702f06b-...)
_LISTED: Final = re.compile(
    r"\s*GPU#(\d+)\s+(\S.*?)\s+([0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.\d)\s+([^(]+?)\s*(?:\((.*)\))?\s*$"
)
_PAIR: Final = re.compile(r"(\d+)\s*/\s*(\d+)\s*MiB")
_POWER: Final = re.compile(r"(\d+(?:\.\d+)?)W(?:\s*/\s*(\d+(?:\.\d+)?)W)?")


def is_metax(text: str) -> bool:
    """Tell whether it is the list or the table."""
    return "MX-SMI" in text or any(_LISTED.match(line) for line in text.splitlines())


def parse_metax(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    if "MX-SMI" in text:
        return tuple(_walk_table(text))
    matched = (_LISTED.match(line) for line in text.splitlines())
    return tuple(_read_listed(match) for match in matched if match is not None)


def _read_listed(match: re.Match[str]) -> DeviceReading:
    number, name, place, state, told = match.groups()
    uuid = told.partition(":")[2].strip() if told and told.startswith("UUID") else ""
    return DeviceReading(
        vendor=VENDOR,
        name=name,
        uuid=uuid,
        place=normalize_place(place),
        number=number,
        verdict=_judge(state),
        facts=keep_facts({"unavailable_reason": "" if uuid else told}),
    )


def _judge(state: str) -> Verdict:
    return Verdict.OK if state.strip().lower() == "available" else Verdict.FAILED


def _walk_table(text: str) -> Iterator[DeviceReading]:
    driver = re.search(r"Kernel Mode Driver Version:\s*(\S+)", text)
    facts = keep_facts({"driver_version": None if driver is None else driver.group(1)})
    above: list[str] | None = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 3:  # name, place, use
            continue
        if above is not None and _PAIR.search(cells[1]):
            yield _read_row(above, cells, facts)
            above = None
        elif cells[0][:1].isdigit() and normalize_place(cells[1]):
            above = cells


def _read_row(above: list[str], below: list[str], facts: dict[str, str]) -> DeviceReading:
    number, _, name = above[0].partition(" ")
    memory, power = _PAIR.search(below[1]), _POWER.search(below[0])
    used, total = memory.groups() if memory is not None else ("", "")
    draw, limit = power.groups() if power is not None else ("", "")
    names = SampleName
    return DeviceReading(
        vendor=VENDOR,
        name=name.strip(),
        place=normalize_place(above[1]),
        number=number,
        memory_mib=take_mib(total),
        verdict=_judge(below[2]) if below[2] else None,
        values={
            names.UTILIZATION_PERMILLE: take_number(above[2], 10),
            names.MEMORY_USED_MIB: take_mib(used),
            names.MEMORY_UTILIZATION_PERMILLE: share_permille(take_mib(used), take_mib(total)),
            names.TEMPERATURE_MILLICELSIUS: take_number(below[0], 1000),
            names.POWER_MILLIWATTS: take_number(draw, 1000),
            names.POWER_LIMIT_MILLIWATTS: take_number(limit, 1000),
        },
        facts=facts,
    )


PARSER: Final = Parser(VENDOR, is_metax, parse_metax)
