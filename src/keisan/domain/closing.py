"""A closing: what somebody asked for who closes a month, and how far it has come. The platform works on one at a time.

It goes holder by holder, in order, and keeps the statement that it is at between its runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from keisan.domain.ids import ClosingId, PlatformId
from keisan.domain.statement import CloseOutcome, Period, StatementHolder
from keisan.domain.statement_draft import StatementDraft


class ClosingState(StrEnum):
    """`closing`: asked for and not done yet. `done`: every holder has come to an outcome."""

    CLOSING = "closing"
    DONE = "done"


CLOSING_TRANSITIONS: dict[ClosingState, frozenset[ClosingState]] = {
    ClosingState.CLOSING: frozenset({ClosingState.DONE}),
    ClosingState.DONE: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Closing:
    """`created_at` is when `asked_by` asked: for everybody's statements of a period, or for those of one `holder_id`.

    `counts` says how many holders came to which outcome; `passed` is the last of them, and `draft` the statement of the
    one that is worked on.
    """

    id: ClosingId
    platform_id: PlatformId
    version: int
    created_at: datetime
    asked_by: str
    period: Period
    holder_id: UUID | None
    state: ClosingState = ClosingState.CLOSING
    counts: Mapping[CloseOutcome, int] = field(default_factory=dict)
    passed: StatementHolder | None = None
    draft: StatementDraft | None = None
    ended_at: datetime | None = None


def choose_holders(closing: Closing, holders: Iterable[StatementHolder]) -> Sequence[StatementHolder]:
    """Return those of all holders, in order, that a closing has still to come to."""
    return [
        each
        for each in holders
        if closing.holder_id in (None, each.id) and (closing.passed is None or each > closing.passed)
    ]


def pass_holder(closing: Closing, holder: StatementHolder, outcome: CloseOutcome) -> Closing:
    """Return the closing with one more holder done."""
    counts = {**closing.counts, outcome: closing.counts.get(outcome, 0) + 1}
    return replace(closing, counts=counts, passed=holder, draft=None)
