"""The storage contract for settlement between platforms: records of calls that crossed, their batches, hourly totals, settlements.

All of it is the platform's own: in any other scope there is nothing. Signed bytes are kept as they were signed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from keisan.domain.access import Scope
from keisan.domain.cross_record import CrossBatch, CrossRecord, CrossState, LeafMark
from keisan.domain.ids import PlatformId, RecordId, SettlementId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.settlement import CrossSum, PlatformDispute, Settlement, SettlementKey, ToldTotal
from keisan.domain.usage import PostedRecord
from keisan.storage.base_noun import Repository


class CrossRecordRepository(Protocol):
    """Records of calls that crossed platforms, of both ends: each once by its author and id, never changed but for what is held of it."""

    async def insert(self, record: CrossRecord) -> bool:
        """Keep a record and tell whether it is new; one of its author and id that is kept already stays as it is."""
        ...

    async def insert_missing(self, records: Sequence[CrossRecord]) -> None:
        """Keep those that are new, as insert does."""
        ...

    async def list_ends(self, scope: Scope, record_ids: Iterable[RecordId]) -> Sequence[CrossRecord]:
        """Return what both ends say of calls, in order of record id, home's first."""
        ...

    async def list_waiting(
        self, scope: Scope, author: PlatformId, audience: PlatformId, limit: int
    ) -> Sequence[CrossRecord]:
        """Return an author's oldest records for one audience that are in no batch, in order of record id."""
        ...

    async def list_waiting_audiences(self, scope: Scope, author: PlatformId) -> Sequence[PlatformId]:
        """Return for whom an author's records wait, in order."""
        ...

    async def enter_batch(
        self, author: PlatformId, record_ids: Sequence[RecordId], batch_id: UUID, period: str
    ) -> None:
        """Note that records that wait are told by a batch, and in which settlement they are."""
        ...

    async def judge(self, author: PlatformId, record_id: RecordId, state: CrossState, code: str) -> None:
        """Write what is held of a record."""
        ...

    async def list_batch(self, scope: Scope, batch_id: UUID) -> Sequence[CrossRecord]:
        """Return a batch's records in order of record id."""
        ...

    async def list_page(self, scope: Scope, key: SettlementKey, page: PageRequest) -> PageOf[CrossRecord]:
        """Return a page of a settlement's records that are in batches, in order of record id."""
        ...

    async def list_marks(self, scope: Scope, key: SettlementKey) -> Sequence[LeafMark]:
        """Return the leaves of a settlement's records that are in batches."""
        ...

    async def sum(self, scope: Scope, key: SettlementKey) -> Sequence[CrossSum]:
        """Return what they come to, in order of end, state and currency."""
        ...


class CrossBatchRepository(Protocol):
    """Signed batches, own ones and those of others."""

    async def insert(self, batch: CrossBatch) -> bool:
        """Keep a batch and tell whether it is new."""
        ...

    async def find(self, scope: Scope, batch_id: UUID) -> CrossBatch | None: ...

    async def add_countersignature(self, batch_id: UUID, signature: bytes, public_key: bytes) -> None:
        """Keep the other side's signature, if there is none yet."""
        ...


class TotalRepository(Protocol):
    """Hourly totals of local usage: own ones as they were told, and those of others."""

    async def insert(self, told: ToldTotal) -> bool:
        """Keep a total and tell whether it is new: there is one of each author, audience, hour and region."""
        ...

    async def find_last_hour(self, scope: Scope, author: PlatformId, audience: PlatformId) -> str | None:
        """Return the last hour of which an author told this audience."""
        ...

    async def list_records(self, scope: Scope, hour: str, page: PageRequest) -> PageOf[PostedRecord]:
        """Return a page of the usage records that a total of an hour is made of, in order of id: those that crossed nothing."""
        ...

    async def list_by_ids(self, scope: Scope, ids: Sequence[UUID]) -> Sequence[ToldTotal]: ...

    async def list_key(self, scope: Scope, key: SettlementKey) -> Sequence[ToldTotal]:
        """Return a settlement's totals in order of id."""
        ...


class SettlementRepository(Repository[Settlement, SettlementId], Protocol):
    """Settlements: one for each author, audience and period."""

    async def take(self, key: SettlementKey, created_at: datetime) -> Settlement:
        """Return a settlement, open if it is new, locked until commit."""
        ...

    async def find(self, scope: Scope, key: SettlementKey) -> Settlement | None: ...

    async def list_period(self, scope: Scope, period: str) -> Sequence[Settlement]:
        """Return all of one period, in order of author and audience."""
        ...

    async def list_open(self, scope: Scope, author: PlatformId) -> Sequence[Settlement]:
        """Return an author's that are not ended yet, oldest period first."""
        ...

    async def list_unsigned(self, scope: Scope, author: PlatformId) -> Sequence[Settlement]:
        """Return an author's that not both sides have signed for, oldest period first."""
        ...

    async def list_ended(self, scope: Scope, author: PlatformId, audience: PlatformId) -> frozenset[str]:
        """Return the periods that an author has ended for this audience."""
        ...

    async def list_countersigned(self, scope: Scope) -> Sequence[SettlementKey]:
        """Return those that both sides have signed for: only their letters may be dropped."""
        ...


class PlatformDisputeRepository(Protocol):
    """Records on which two platforms do not agree."""

    async def put(self, dispute: PlatformDispute) -> None:
        """Keep one; the same again changes nothing."""
        ...

    async def list(self, scope: Scope, page: PageRequest) -> PageOf[PlatformDispute]: ...
