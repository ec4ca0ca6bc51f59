"""Evidence: where a value is from, how good that is, and when it was read."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Grade(StrEnum):
    """How good a piece of evidence is. Order of the members is from best to worst."""

    MEASURED = "M"
    VENDOR = "A"
    TESTED = "B"
    PRESS = "C"
    HEARSAY = "D"

    def is_at_least(self, demanded: "Grade") -> bool:
        """Tell whether this is the grade demanded or a better one."""
        order = list(Grade)
        return order.index(self) <= order.index(demanded)


@dataclass(frozen=True, slots=True)
class Evidence:
    """`source` is a reference that a person can follow; `date` is when it was read."""

    source: str
    grade: Grade
    date: date
