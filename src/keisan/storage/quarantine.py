"""Quarantined records, which intake keeps: listed, found under a lock, and judged. The platform sees them."""

from sqlalchemy import update

from keisan.domain.access import Scope
from keisan.domain.errors import NotFound
from keisan.domain.ids import QuarantineId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.quarantine import QuarantinedRecord, QuarantineState
from keisan.storage.repository import FixedRepository, cut_page, order_page
from keisan.storage.usage_table import quarantined_record

JUDGED_COLUMNS = ("state", "note", "judged_by", "judged_at")


class QuarantineRepository(FixedRepository[QuarantinedRecord, QuarantineId]):
    """Quarantined records by the first half of their digest."""

    table = quarantined_record
    noun_type = QuarantinedRecord

    async def list(
        self, scope: Scope, page: PageRequest, state: QuarantineState | None = None
    ) -> PageOf[QuarantinedRecord]:
        """Return a page in order of id, of one state if it is named."""
        wanted = self._select(scope)
        if state is not None:
            wanted = wanted.where(quarantined_record.c.state == state)
        rows = await self._connection.fetch_all(order_page(wanted, quarantined_record.c.id, page))
        return cut_page([self._to_noun(row) for row in rows], page, lambda quarantined: quarantined.id)

    async def lock(self, scope: Scope, quarantine_id: QuarantineId) -> QuarantinedRecord:
        """Return the record, locked until commit; raises NotFound as get does."""
        wanted = self._select(scope).where(quarantined_record.c.id == quarantine_id)
        rows = await self._connection.fetch_locked(wanted)
        if not rows:
            raise NotFound(f"there is no quarantined record {quarantine_id}")
        return self._to_noun(rows[0])

    async def judge(self, judged: QuarantinedRecord) -> None:
        """Write what was judged of a record that this transaction has locked."""
        values = {name: getattr(judged, name) for name in JUDGED_COLUMNS}
        is_wanted = quarantined_record.c.id == judged.id
        await self._connection.change(update(quarantined_record).where(is_wanted).values(values))
