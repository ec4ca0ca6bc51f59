"""Enflame's efsmi: the text of `-q`, in the words of older and of newer drivers."""

import re
from typing import Final

from keisan.devices.log_text import LogBlock, read_log
from keisan.devices.quantity import clean_text, share_permille, take_kib_per_s, take_mib, take_number
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way, choose_worse, keep_facts, normalize_place
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict

VENDOR: Final = "enflame"
_LOG: Final = Query(("-q",))
TOOL: Final = Tool("efsmi", (Way(inventory=(_LOG,), samples=(_LOG,)),))
_BLOCK: Final = re.compile(r"DEV ID (\d+)$")


def is_enflame(text: str) -> bool:
    """Tell whether it is the log."""
    return re.search(r"^\s*DEV ID \d+\s*$", text, re.MULTILINE) is not None


def parse_enflame(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    _, blocks = read_log(text, _BLOCK)
    return tuple(_read_block(block) for block in blocks)


def _read_block(block: LogBlock) -> DeviceReading:
    names = SampleName
    used = take_mib(block.find("Device Mem Info/Used Size", "Device Mem Info/Mem Usage"))
    total = take_mib(block.find("Device Mem Info/Total Size", "Device Mem Info/Mem Size"))
    return DeviceReading(
        vendor=VENDOR,
        name=clean_text(block.find("Device Info/Dev Name")),
        uuid=clean_text(block.find("Dev UUID")),
        serial=clean_text(block.find("Dev SN")),
        place=_find_place(block),
        number=block.title.split()[-1],
        memory_mib=total,
        verdict=_judge(block),
        values={
            names.UTILIZATION_PERMILLE: take_number(block.find("GCU Usage"), 10),
            names.MEMORY_USED_MIB: used,
            names.MEMORY_UTILIZATION_PERMILLE: share_permille(used, total),
            names.TEMPERATURE_MILLICELSIUS: take_number(block.find("GCU Temp"), 1000),
            names.POWER_MILLIWATTS: take_number(block.find("Cur Power"), 1000),
            names.POWER_LIMIT_MILLIWATTS: take_number(block.find("Power Capa"), 1000),
            names.MEMORY_CLOCK_MHZ: take_number(block.find("Mem CLK")),
            names.HOST_RECEIVE_KIB_PER_S: take_kib_per_s(block.find("Rx Throughput")),
            names.HOST_TRANSMIT_KIB_PER_S: take_kib_per_s(block.find("Tx Throughput")),
            names.ECC_UNCORRECTED_COUNT: take_number(block.find("RMA Info/Total DBE", "RMA Info/DBE")),
        },
        facts=keep_facts(
            {
                "driver_version": block.find("Driver Info/Ver"),
                "part_number": block.find("Dev PN"),
                "made_on": block.find("Dev MFD"),
            }
        ),
    )


def _find_place(block: LogBlock) -> str:
    """Return the PCI address, whose parts stand in lines of their own."""
    domain, bus, device, function = (block.find(f"PCIe Info/{part}") for part in ("Domain", "Bus", "Dev", "Func"))
    return normalize_place(f"{domain.zfill(4)}:{bus.zfill(2)}:{device.zfill(2)}.{function}") if bus else ""


def _judge(block: LogBlock) -> Verdict | None:
    """Return FAILED for a device that is not healthy, or that the tool says to send back."""
    health, flag = block.find("Device Info/Health").lower(), block.find("RMA Info/Flags").lower()
    told = None if not health else Verdict.OK if health == "true" else Verdict.FAILED
    return choose_worse(told, Verdict.FAILED if flag == "true" else None)


PARSER: Final = Parser(VENDOR, is_enflame, parse_enflame)
