"""Retention: which rows of a kind could go, and their deletion, in steps of a bounded number of rows.

A delivery that waits or was given up never goes, nor the newest of a webhook: the next one is counted on from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, select, true, tuple_

from keisan.domain.access import Scope
from keisan.domain.delivery import DeliveryState
from keisan.domain.retention import RetentionKind
from keisan.storage.base_retention import RetentionCount
from keisan.storage.connection import GuardedConnection
from keisan.storage.delivery import delivery
from keisan.storage.idempotency import stored_answer
from keisan.storage.repository import Condition, Visibility
from keisan.storage.schema import AnyColumn
from keisan.storage.usage_table import quarantined_record

VISIBILITY = Visibility()
_later = delivery.alias("later")
_has_later = exists(
    select(_later.c.id).where(_later.c.webhook_id == delivery.c.webhook_id, _later.c.sequence > delivery.c.sequence)
)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A kind's rows: their key, the time they are kept from, and which of them could go at all."""

    key: Sequence[AnyColumn]
    since: AnyColumn
    is_over: Condition


ROWS: dict[RetentionKind, _Rows] = {
    RetentionKind.ANSWER: _Rows(
        (stored_answer.c.principal_id, stored_answer.c.key), stored_answer.c.created_at, true()
    ),
    RetentionKind.QUARANTINED_RECORD: _Rows((quarantined_record.c.digest,), quarantined_record.c.created_at, true()),
    # From when it was last asked for, so that one sent again is kept anew.
    RetentionKind.DELIVERY: _Rows(
        (delivery.c.id,), delivery.c.wanted_since, (delivery.c.state == DeliveryState.DELIVERED) & _has_later
    ),
}


class RetentionRepository:
    """Rows by kind and age."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def find_oldest(self, scope: Scope, kind: RetentionKind) -> datetime | None:
        """Return the time of the oldest row that could go."""
        rows = ROWS[kind]
        oldest = select(rows.since.label("since")).where(VISIBILITY.limit(scope), rows.is_over)
        row = await self._connection.fetch_first(oldest.order_by(rows.since).limit(1))
        return None if row is None else row["since"]

    async def count(self, scope: Scope, kind: RetentionKind, cutoff: datetime) -> RetentionCount:
        """Count all rows, and those that may go."""
        rows = ROWS[kind]
        stored = select(func.count().label("count")).select_from(rows.since.table).where(VISIBILITY.limit(scope))
        all_rows = await self._connection.fetch_all(stored)
        due_rows = await self._connection.fetch_all(stored.where(rows.is_over, rows.since < cutoff))
        oldest_at = await self.find_oldest(scope, kind)
        return RetentionCount(int(all_rows[0]["count"]), int(due_rows[0]["count"]), oldest_at)

    async def delete_before(self, kind: RetentionKind, cutoff: datetime, most: int) -> int:
        """Delete what is oldest; the rows are looked for anew here, so none that changed since a look goes."""
        rows = ROWS[kind]
        chosen = select(*rows.key).where(rows.is_over, rows.since < cutoff).order_by(rows.since).limit(most)
        found = await self._connection.fetch_locked(chosen)
        keys = [tuple(row.values()) for row in found]
        if not keys:
            return 0
        return await self._connection.change(delete(rows.since.table).where(tuple_(*rows.key).in_(keys)))
