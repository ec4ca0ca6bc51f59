"""A statement that is being drawn: summed day by day, then sealed chunk by chunk, and kept between the parts.

Its span is fixed when it begins, so that each part reads the same records whenever it is done, and however often.
"""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from keisan.domain.ids import RecordId, StatementId
from keisan.domain.merkle import RootBuilder
from keisan.domain.statement import Period, RecordsSeal, StatementContent, StatementSpan
from keisan.domain.statement_document import read_document, write_document

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OpenSeal:
    """What reading a statement's records up to `after` came to; `roots` are those of a RootBuilder. `is_whole`: all are read."""

    record_count: int = 0
    amount_nano: int = 0
    roots: tuple[bytes, ...] = ()
    after: RecordId | None = None
    is_whole: bool = False

    def close(self) -> RecordsSeal:
        """Return the seal over what was read."""
        root = RootBuilder(self.record_count, self.roots).build()
        return RecordsSeal(self.record_count, self.amount_nano, root.hex())


@dataclass(frozen=True, slots=True)
class StatementDraft:
    """`content` is what is summed by now, without names; `last_id` and `after_sequence` are the statement's before it.

    `summed_through` is the last day whose records are summed, None before the first.
    """

    content: StatementContent
    last_id: StatementId | None
    after_sequence: int | None
    summed_through: date | None = None
    seal: OpenSeal = field(default_factory=OpenSeal)

    @property
    def span(self) -> StatementSpan:
        """Return which records it holds."""
        content = self.content
        return StatementSpan(content.holder, content.period, self.after_sequence, content.entry_sequence)

    @property
    def is_summed(self) -> bool:
        """Tell whether every day is summed."""
        return self.summed_through == self.content.period.last_day

    @property
    def next_day(self) -> Period:
        """Return the day to sum next."""
        first_day = self.content.period.first_day
        day = first_day if self.summed_through is None else self.summed_through + ONE_DAY
        return Period(day, day)


def write_draft(draft: StatementDraft) -> str:
    """Return a draft as a text."""
    seal = draft.seal
    members = {
        "content": write_document(draft.content).decode(),
        "last_id": None if draft.last_id is None else str(draft.last_id),
        "after_sequence": draft.after_sequence,
        "summed_through": None if draft.summed_through is None else draft.summed_through.isoformat(),
        "record_count": seal.record_count,
        "amount_nano": str(seal.amount_nano),
        "roots": [root.hex() for root in seal.roots],
        "after": None if seal.after is None else str(seal.after),
        "is_whole": seal.is_whole,
    }
    return json.dumps(members)


def read_draft(text: str) -> StatementDraft:
    """Return what write_draft was given."""
    stored = json.loads(text)
    last_id, summed_through, after = stored["last_id"], stored["summed_through"], stored["after"]
    return StatementDraft(
        content=read_document(stored["content"].encode()),
        last_id=None if last_id is None else StatementId(UUID(last_id)),
        after_sequence=stored["after_sequence"],
        summed_through=None if summed_through is None else date.fromisoformat(summed_through),
        seal=OpenSeal(
            record_count=stored["record_count"],
            amount_nano=int(stored["amount_nano"]),
            roots=tuple(bytes.fromhex(root) for root in stored["roots"]),
            after=None if after is None else RecordId(UUID(after)),
            is_whole=stored["is_whole"],
        ),
    )
