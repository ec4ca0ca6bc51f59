"""A figure of a chip: a whole number that sources state, side by side, and what stands for all of them.

No source is thrown away. What was measured replaces sheets; else the best grade decides, and of two as good the lower end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from keisan.domain.evidence import Evidence, Grade

# Decimal prefixes, as figures have them: a gigabyte is 10^9 bytes.
MEGA = 10**6
GIGA = 10**9


class FigureName(StrEnum):
    """What is known of a chip in numbers, units last. Throughput is dense, of the matrix units where there are any.

    `fp16_gflops` is of FP16 or BF16, which all chips here do at one rate unless a note says otherwise. A gigabyte is 10^9 bytes.
    `link_gb_per_s` is to all neighbours of a scale-up domain together, both ways; `scale_up_devices` its size.
    """

    MEMORY_BYTES = "memory_bytes"
    MEMORY_GB_PER_S = "memory_gb_per_s"
    FP64_GFLOPS = "fp64_gflops"
    FP32_GFLOPS = "fp32_gflops"
    TF32_GFLOPS = "tf32_gflops"
    FP16_GFLOPS = "fp16_gflops"
    FP8_GFLOPS = "fp8_gflops"
    FP4_GFLOPS = "fp4_gflops"
    INT8_GOPS = "int8_gops"
    LINK_GB_PER_S = "link_gb_per_s"
    POWER_W = "power_w"
    SCALE_UP_DEVICES = "scale_up_devices"
    PROCESS_NM = "process_nm"


class Precision(StrEnum):
    """The number format that a throughput is of."""

    FP64 = "fp64"
    FP32 = "fp32"
    TF32 = "tf32"
    FP16 = "fp16"
    FP8 = "fp8"
    FP4 = "fp4"
    INT8 = "int8"


THROUGHPUTS = {
    Precision.FP64: FigureName.FP64_GFLOPS,
    Precision.FP32: FigureName.FP32_GFLOPS,
    Precision.TF32: FigureName.TF32_GFLOPS,
    Precision.FP16: FigureName.FP16_GFLOPS,
    Precision.FP8: FigureName.FP8_GFLOPS,
    Precision.FP4: FigureName.FP4_GFLOPS,
    Precision.INT8: FigureName.INT8_GOPS,
}


class Disclosure(StrEnum):
    """Whether there is a number. Not disclosed: a source says so. Unknown: no source says anything."""

    KNOWN = "known"
    NOT_DISCLOSED = "not_disclosed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FigureValue:
    """What one source says: from `low` to `high`, both above 0, the same for one number; both None for "not disclosed".

    `note` tells for which variant or under which conditions.
    """

    low: int | None
    high: int | None
    evidence: Evidence
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """What stands for all values: `nominal` is what counts in sums, `grade` its evidence's; `low` to `high` what is said at all."""

    disclosure: Disclosure
    nominal: int | None = None
    grade: Grade | None = None
    low: int | None = None
    high: int | None = None

    @property
    def ends(self) -> tuple[int, int, int] | None:
        """Return what is nominal, lowest and highest; None without a number."""
        if self.nominal is None or self.low is None or self.high is None:
            return None
        return self.nominal, self.low, self.high

    @property
    def is_disputed(self) -> bool:
        """Tell whether sources differ, or one gives a range."""
        return self.low != self.high


def settle_figure(values: Sequence[FigureValue]) -> Figure:
    """Return what stands for all values of one figure: those measured if there are any, else all that give a number.

    Nominal is the lower end of what the best grade among them says: capacity is rather understated than sold twice.
    """
    known = [
        (value.low, value.high, value.evidence.grade)
        for value in values
        if value.low is not None and value.high is not None
    ]
    if not known:
        return Figure(Disclosure.NOT_DISCLOSED if values else Disclosure.UNKNOWN)
    counted = [line for line in known if line[2] is Grade.MEASURED] or known
    best = min((grade for _, _, grade in counted), key=list(Grade).index)
    return Figure(
        Disclosure.KNOWN,
        nominal=min(low for low, _, grade in counted if grade is best),
        grade=best,
        low=min(low for low, _, _ in counted),
        high=max(high for _, high, _ in counted),
    )
