"""The columns of history's roll-ups: what is kept of each field of a sample once samples are folded into a step.

Each is a whole number and can be folded again: a day's is exactly what its samples would have given.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keisan.domain.sample import HEALTH_CODES, SampleName
from keisan.domain.verdict import Verdict


class Statistic(StrEnum):
    """What a column says of a field within a step; COUNT is of samples that knew the field.

    Of a counter GROWTH is what it rose by from FIRST to LAST, through resets; a step's begin is not in it. ANY has each
    flag that was ever set. A verdict's is how many samples had it.
    """

    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    FIRST = "first"
    LAST = "last"
    GROWTH = "growth"
    ANY = "any"
    OK = "ok_count"
    UNKNOWN = "unknown_count"
    FAILED = "failed_count"


GAUGE: Final = (Statistic.MIN, Statistic.MAX, Statistic.SUM, Statistic.COUNT)
COUNTER: Final = (Statistic.FIRST, Statistic.LAST, Statistic.GROWTH, Statistic.COUNT)
FLAGS: Final = (Statistic.ANY, Statistic.COUNT)
VERDICTS: Final = {
    Statistic.OK: HEALTH_CODES[Verdict.OK],
    Statistic.UNKNOWN: HEALTH_CODES[Verdict.UNKNOWN],
    Statistic.FAILED: HEALTH_CODES[Verdict.FAILED],
}
# Missing where no sample of the step knew the field; all others are 0 there.
NULLABLE: Final = frozenset({Statistic.MIN, Statistic.MAX, Statistic.FIRST, Statistic.LAST, Statistic.ANY})
# A day's sum does not fit 32 bits.
WIDE: Final = frozenset({Statistic.SUM, Statistic.GROWTH})
_NOT_GAUGES: Final = {
    SampleName.HEALTH: tuple(VERDICTS),
    SampleName.THROTTLE_FLAGS: FLAGS,
    SampleName.ENERGY_KILOJOULES: COUNTER,
    SampleName.LINK_ERROR_COUNT: COUNTER,
    SampleName.ECC_CORRECTED_COUNT: COUNTER,
    SampleName.ECC_UNCORRECTED_COUNT: COUNTER,
    SampleName.RETIRED_PAGE_COUNT: COUNTER,
}
STATISTICS: Final = {name: _NOT_GAUGES.get(name, GAUGE) for name in SampleName}


@dataclass(frozen=True, slots=True)
class RollUpColumn:
    """A column of a roll-up."""

    field: SampleName
    statistic: Statistic

    @property
    def name(self) -> str:
        """Return the column's name."""
        return f"{self.field}_{self.statistic}"


ROLL_UP_COLUMNS: Final = tuple(RollUpColumn(name, each) for name, all_of in STATISTICS.items() for each in all_of)
assert len({column.name for column in ROLL_UP_COLUMNS}) == len(ROLL_UP_COLUMNS)
