"""The devices of nine makers as the command gpustack-runtime tells of them, by the makers' libraries: a list in JSON.

It is asked as a command, not imported: a library that crashes or hangs takes nothing with it.
"""

import json
from collections.abc import Mapping
from typing import Final

from keisan.devices.quantity import clean_text, take_number
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way, keep_facts, normalize_place
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict

VENDOR: Final = "gpustack"
# It clears the screen first, also where there is none; without that nobody could tell an empty list for its own.
_CLEAR: Final = "\x1b[2J\x1b[H"
_ASK: Final = ("detect", "--format", "json")
TOOL: Final = Tool("gpustack-runtime", (Way(inventory=(Query(_ASK),), samples=(Query(_ASK),)),))
# Which commands of the makers themselves tell more of the same devices.
OWN_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "nvidia": ("nvidia-smi",),
    "amd": ("amd-smi", "rocm-smi"),
    "ascend": ("npu-smi",),
    "cambricon": ("cnmon",),
    "metax": ("mx-smi",),
    "hygon": ("hy-smi", "rocm-smi"),
    "iluvatar": ("ixsmi",),
    "mthreads": ("mthreads-gmi",),
    "thead": ("ppu-smi",),
}
_VERDICTS: Final = {"healthy": Verdict.OK, "unhealthy": Verdict.FAILED}
_FACTS: Final = ("driver_version", "runtime_version_original", "compute_capability")


def is_gpustack(text: str) -> bool:
    """Tell whether it is the runtime's list of devices, or its empty list."""
    return _read_list(text) is not None


def parse_gpustack(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device, each of its own maker."""
    return tuple(_build_reading(entry) for entry in _read_list(text) or ())


def _read_list(text: str) -> list[dict[str, object]] | None:
    body = text.strip().removeprefix(_CLEAR.strip()).strip()
    if not body.startswith("["):
        return None
    try:
        entries = json.loads(body)
    except ValueError:
        return None
    if not all(isinstance(entry, dict) and "manufacturer" in entry and "memory_status" in entry for entry in entries):
        return None
    return entries if entries or text.lstrip().startswith(_CLEAR) else None


def _build_reading(entry: dict[str, object]) -> DeviceReading:
    appendix = entry.get("appendix")
    place = appendix.get("bdf") if isinstance(appendix, dict) else None
    # Nought stands for what was not read as well: it is believed where something else was read.
    is_read = entry.get("temperature") is not None or entry.get("power_used") is not None
    measured = {
        SampleName.UTILIZATION_PERMILLE: take_number(entry.get("cores_utilization"), 10),
        SampleName.MEMORY_USED_MIB: take_number(entry.get("memory_used")),
        SampleName.MEMORY_UTILIZATION_PERMILLE: take_number(entry.get("memory_utilization"), 10),
    }
    values = {
        **{name: value for name, value in measured.items() if value or is_read},
        SampleName.TEMPERATURE_MILLICELSIUS: take_number(entry.get("temperature"), 1000),
        SampleName.POWER_MILLIWATTS: take_number(entry.get("power_used"), 1000),
        SampleName.POWER_LIMIT_MILLIWATTS: take_number(entry.get("power"), 1000),
    }
    return DeviceReading(
        vendor=clean_text(entry.get("manufacturer")) or VENDOR,
        name=clean_text(entry.get("name")),
        uuid=clean_text(entry.get("uuid")),
        place=normalize_place(place),
        # Each maker's devices are counted from nought.
        number=f"{entry.get('manufacturer')}-{entry.get('index')}",
        memory_mib=take_number(entry.get("memory")),
        verdict=_VERDICTS.get(str(entry.get("memory_status"))),
        values=values,
        facts=keep_facts({name: entry.get(name) for name in _FACTS}),
    )


PARSER: Final = Parser(VENDOR, is_gpustack, parse_gpustack)
