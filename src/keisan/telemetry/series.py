"""The live fleet as monitoring systems take it: families of series, each with attributes, in the words of OpenTelemetry.

Names are those of hw.* of its semantic conventions (docs/hardware/gpu.md, common.md) where there is one, else keisan.*.
Values are in base units: ratios, bytes, watts, degrees Celsius, seconds. What is not known has no series.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Value = int | float
Attributes = Mapping[str, str]


class SeriesKind(StrEnum):
    """A counter only grows; what is added up over things is an up-down counter, anything else a gauge."""

    GAUGE = "gauge"
    COUNTER = "counter"
    UP_DOWN_COUNTER = "up_down_counter"


class HardwareType(StrEnum):
    """What a series is of: its attribute `hw.type`. Sums over series name one of them, or count devices several times."""

    REGION = "region"
    PROVIDER = "provider"
    SITE = "site"
    SUPERNODE = "supernode"
    NODE = "node"
    GPU = "gpu"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Family:
    """All series of one name; `unit` is UCUM's."""

    name: str
    unit: str
    text: str
    kind: SeriesKind = SeriesKind.GAUGE


@dataclass(frozen=True, slots=True)
class Column:
    """Series of one family that differ in whom they are of: `owners` are places in a list of attributes, as long as `values`.

    `extra` are attributes that all of them have beside their owner's.
    """

    family: Family
    owners: Sequence[int]
    values: Sequence[Value]
    extra: Attributes


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """What is told at one moment: whose series there are, and all of them."""

    owners: Sequence[Attributes]
    columns: Sequence[Column]


# Of whatever has devices and of a single one, so that one expression finds what has failed at any level.
VERDICT = Family(
    "keisan.verdict", "{verdict}", "1 for the verdict that holds (ok, unknown or failed), 0 for the others."
)
PROVEN = Family("keisan.proven.timestamp", "s", "When it was heard last, by the platform's clock, since 1970.")
UTILIZATION = Family("hw.gpu.utilization", "1", "Fraction of the time in use; the mean over devices that tell it.")
MEMORY_USAGE = Family("hw.gpu.memory.usage", "By", "Memory in use.", SeriesKind.UP_DOWN_COUNTER)
MEMORY_LIMIT = Family("hw.gpu.memory.limit", "By", "Memory that there is.", SeriesKind.UP_DOWN_COUNTER)
POWER = Family("hw.power", "W", "Power drawn now.")
TOKENS = Family("keisan.tokens", "{token}/s", "Output tokens of the engines that tell.")
PROCESSES = Family("keisan.processes", "{process}", "Processes that use it.")
LINKS_UP = Family("keisan.links.up", "{link}", "Links of the scale-up domain that are up.")
