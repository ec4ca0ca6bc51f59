"""Retention: for how long data is kept, how far the deletion of usage records has come, and why what is held is held.

Journal entries, postings, statements, suspended records, events and the archive's files are never deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from keisan.domain.limits import ANSWERS_DAYS_DEFAULT, DELIVERIES_DAYS_DEFAULT
from keisan.domain.statement import StatementHolder


class RetentionKind(StrEnum):
    """What may be deleted after its time."""

    USAGE = "usage"
    ANSWERS = "answers"
    TICKETS = "tickets"
    QUARANTINE = "quarantine"
    DELIVERIES = "deliveries"


class HoldCode(StrEnum):
    """Why a day of usage records is held."""

    YOUNG = "young"
    NOT_ARCHIVED = "not_archived"
    OPEN_STATEMENT = "open_statement"
    DISPUTE_WINDOW = "dispute_window"
    OPEN_DISPUTE = "open_dispute"
    ARCHIVE_DIFFERS = "archive_differs"


@dataclass(frozen=True, slots=True)
class RetentionTerms:
    """For how many days each kind is kept; 0 keeps it for ever."""

    usage_days: int = 0
    answers_days: int = ANSWERS_DAYS_DEFAULT
    tickets_days: int = 0
    quarantine_days: int = 0
    deliveries_days: int = DELIVERIES_DAYS_DEFAULT

    def get_days(self, kind: RetentionKind) -> int:
        """Return for how many days a kind is kept, 0 for ever."""
        days: Mapping[RetentionKind, int] = {
            RetentionKind.USAGE: self.usage_days,
            RetentionKind.ANSWERS: self.answers_days,
            RetentionKind.TICKETS: self.tickets_days,
            RetentionKind.QUARANTINE: self.quarantine_days,
            RetentionKind.DELIVERIES: self.deliveries_days,
        }
        return days[kind]


@dataclass(frozen=True, slots=True)
class DayCheck:
    """How far the comparison of a day's archived records with the stored ones has come.

    The first `file_place` files of `names` are done, and `row_place` records of the next; `record_count` were equal so far.
    """

    day: date
    names: tuple[str, ...]
    file_place: int = 0
    row_place: int = 0
    record_count: int = 0


@dataclass(frozen=True, slots=True)
class RetentionMark:
    """How far the deletion of usage records has come, each through a day, None before the first.

    No record of a day through `closed_through` is accepted any more. Days through `archived_through` are read from the
    archive, since `archived_at` for the last of them; days through `deleted_through` are in the archive alone.
    """

    closed_through: date | None = None
    archived_through: date | None = None
    archived_at: datetime | None = None
    deleted_through: date | None = None
    check: DayCheck | None = None
    # Why the day after `deleted_through` was held when it was last compared, empty if it was not.
    fault: str = ""


@dataclass(frozen=True, slots=True)
class DayClaim:
    """A holder who has records of a day on its statements; the newest of them is in the journal's entry `sequence`."""

    holder: StatementHolder
    sequence: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Why something is held, and in words since when or of whom."""

    code: HoldCode
    text: str


def is_through(day: date, through: date | None) -> bool:
    """Tell whether a day is one of those through another; none is through None."""
    return through is not None and day <= through
