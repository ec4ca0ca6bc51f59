"""The settlement's part of the storage contract: statements, the records on them and their closing, payouts, disputes.

Kept apart from base.py for its length only; what is said there of scopes, errors and transactions holds here.
"""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.closing import Closing
from keisan.domain.dispute import Dispute
from keisan.domain.ids import ClosingId, DisputeId, PayoutId, RecordId, StatementId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.payout import Payout
from keisan.domain.statement import Adjustment, Period, Statement, StatementHolder, StatementSpan, StatementSum
from keisan.domain.usage import PostedRecord
from keisan.storage.base_noun import Repository


class StatementRepository(Protocol):
    """Closed statements; an organization sees its own as a customer, a provider its own. Written once, never changed."""

    async def get(self, scope: Scope, statement_id: StatementId) -> Statement: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Statement]: ...
    async def insert(self, statement: Statement) -> None: ...
    async def lock(self, scope: Scope, statement_id: StatementId) -> Statement:
        """Return the statement, locked until commit: before any account. Raises NotFound as get does."""
        ...

    async def find(self, scope: Scope, holder: StatementHolder, period: Period) -> Statement | None: ...
    async def find_last(self, scope: Scope, holder: StatementHolder, before: date | None = None) -> Statement | None:
        """Return the holder's statement of the latest period, of those that begin before a day if one is named."""
        ...

    async def find_holding(self, scope: Scope, holder: StatementHolder, day: date, sequence: int) -> Statement | None:
        """Return the holder's first statement that reaches to a day and to an entry: all records of both are on it or before."""
        ...


class ClosingRepository(Repository[Closing, ClosingId], Protocol):
    """Closings of months, under way and done; nobody but a platform sees any."""

    async def find_next(self, scope: Scope) -> Closing | None:
        """Return the one to work on: of those under way, the one that was asked for first."""
        ...

    async def find_same(self, scope: Scope, wanted: Closing) -> Closing | None:
        """Return one under way of the same period and holder."""
        ...


class StatementRecordRepository(Protocol):
    """The usage records that are on statements. Outside the scope a span is empty."""

    async def await_posting(self) -> None:
        """Return once every transaction that has inserted usage records by now has ended.

        Intake reads its clock after it has inserted: whatever it inserts from now on, it judges by a later time.
        """
        ...

    async def list_holders(self, scope: Scope) -> Sequence[StatementHolder]:
        """Return all who have usage records, in order."""
        ...

    async def get_end(self, scope: Scope, holder: StatementHolder) -> tuple[int, int]:
        """Return the sequence of the journal's last entry, and the balance of the holder's account as of it."""
        ...

    async def find_first_day(self, scope: Scope, span: StatementSpan) -> date | None:
        """Return the first day of a span's period that has a record, None if none has."""
        ...

    async def sum(self, scope: Scope, span: StatementSpan) -> Sequence[StatementSum]:
        """Return the sums of a span's period, without its late records; a long period takes long, so ask for a day at a time."""
        ...

    async def sum_late(self, scope: Scope, span: StatementSpan) -> Sequence[StatementSum]:
        """Return the sums of a span's late records: those of earlier periods."""
        ...

    async def list(self, scope: Scope, span: StatementSpan, page: PageRequest) -> PageOf[PostedRecord]:
        """Return a page of a span's records in order of id."""
        ...

    async def has_all(self, scope: Scope, span: StatementSpan, record_ids: Sequence[RecordId]) -> bool:
        """Tell whether all of these records are in a span."""
        ...


class PayoutRepository(Protocol):
    """Payouts; a provider sees its own. Written once, never changed."""

    async def get(self, scope: Scope, payout_id: PayoutId) -> Payout: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Payout]: ...
    async def insert(self, payout: Payout) -> None: ...
    async def find(self, scope: Scope, statement_id: StatementId) -> Payout | None:
        """Return the payout of a statement."""
        ...


class DisputeRepository(Protocol):
    """Disputes; an organization sees its own as a customer, a provider its own."""

    async def get(self, scope: Scope, dispute_id: DisputeId) -> Dispute: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Dispute]: ...
    async def insert(self, dispute: Dispute) -> None: ...
    async def update(self, dispute: Dispute) -> None: ...
    async def list_statement(self, scope: Scope, statement_id: StatementId) -> Sequence[Dispute]:
        """Return all disputes of a statement."""
        ...

    async def has_open(self, scope: Scope, holder: StatementHolder) -> bool:
        """Tell whether a dispute of the holder is open."""
        ...

    async def list_adjustments(self, scope: Scope, span: StatementSpan) -> Sequence[Adjustment]:
        """Return what disputes of the holder moved by entries after a span's `after_sequence`, up to its `until_sequence`."""
        ...
