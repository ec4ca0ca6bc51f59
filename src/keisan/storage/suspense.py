"""Suspended records, which intake notes: listed, found under a lock, and judged. The platform sees them."""

from collections.abc import Sequence

from sqlalchemy import select, update

from keisan.domain.access import Scope
from keisan.domain.errors import NotFound
from keisan.domain.ids import RecordId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.suspense import SuspendedRecord, SuspenseState
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import Visibility, cut_page, order_page
from keisan.storage.schema import AnyRow, AnySelect
from keisan.storage.usage_table import suspended_record

VISIBILITY = Visibility()
JUDGED_COLUMNS = ("state", "note", "judged_by", "judged_at", "entry_id", "entry_sequence")


class SuspenseRepository:
    """Suspended records by their usage record's id."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def list(
        self, scope: Scope, page: PageRequest, state: SuspenseState | None = None
    ) -> PageOf[SuspendedRecord]:
        """Return a page in order of record, of one state if it is named."""
        wanted = _select(scope) if state is None else _select(scope).where(suspended_record.c.state == state)
        rows = await self._connection.fetch_all(order_page(wanted, suspended_record.c.record_id, page))
        return cut_page([SuspendedRecord(**row) for row in rows], page, lambda suspended: suspended.record_id)

    async def get(self, scope: Scope, record_id: RecordId) -> SuspendedRecord:
        """Return what is noted of a record; raises NotFound if suspense did not pay for it, and outside the scope."""
        return _read_one(await self._connection.fetch_all(_select_one(scope, record_id)), record_id)

    async def lock(self, scope: Scope, record_id: RecordId) -> SuspendedRecord:
        """Return it as `get` does, locked until commit."""
        return _read_one(await self._connection.fetch_locked(_select_one(scope, record_id)), record_id)

    async def judge(self, judged: SuspendedRecord) -> None:
        """Write what was judged of a record that this transaction has locked."""
        values = {name: getattr(judged, name) for name in JUDGED_COLUMNS}
        is_wanted = suspended_record.c.record_id == judged.record_id
        await self._connection.change(update(suspended_record).where(is_wanted).values(values))


def _select(scope: Scope) -> AnySelect:
    return select(suspended_record).where(VISIBILITY.limit(scope))


def _select_one(scope: Scope, record_id: RecordId) -> AnySelect:
    return _select(scope).where(suspended_record.c.record_id == record_id)


def _read_one(rows: Sequence[AnyRow], record_id: RecordId) -> SuspendedRecord:
    if not rows:
        raise NotFound(f"suspense paid for no record {record_id}")
    return SuspendedRecord(**rows[0])
