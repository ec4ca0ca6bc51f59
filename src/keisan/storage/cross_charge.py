"""What records of calls across platforms moved: by record, by journal entry, by ticket. An organization sees its own."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Table, Text, bindparam, select, update

from keisan.domain.access import Scope
from keisan.domain.ids import EntryId, OrganizationId, PlatformId, RecordId, TicketId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.platform_ticket import CrossCharge, CrossChargeCode, CrossChargeState
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import (
    PARAMETERS_PER_STATEMENT_MAX,
    Condition,
    Visibility,
    cut_page,
    limit_to_owner,
    order_page,
    split_chunks,
)
from keisan.storage.schema import AnyColumn, EnumText, ExactInteger, Instant, build_column, build_id, metadata

# No foreign keys: a record may name a ticket that there is not, and is kept for a person to judge.
cross_charge = Table(
    "cross_charge",
    metadata,
    build_id("record_id", is_primary=True),
    build_id("ticket_id"),
    build_column("platform_id", Text()),
    build_column("counterparty_id", Text()),
    build_id("organization_id"),
    build_column("currency", Text()),
    build_column("state", EnumText(CrossChargeState)),
    build_column("code", EnumText(CrossChargeCode)),
    build_column("wholesale_nano", ExactInteger()),
    build_column("charged_nano", ExactInteger()),
    build_column("tax_nano", ExactInteger()),
    build_column("admitted_at", Instant()),
    build_column("created_at", Instant()),
    build_id("entry_id", is_nullable=True),
    Index(None, "ticket_id", "record_id"),
    Index(None, "entry_id"),
    Index(None, "organization_id", "admitted_at"),
)
VISIBILITY = Visibility(organization=limit_to_owner(cross_charge.c.organization_id))
SETTLED_COLUMNS = ("state", "code", "wholesale_nano", "charged_nano", "tax_nano", "entry_id")


class CrossChargeRepository:
    """Charges of calls across platforms by their record's id."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def find_many(self, scope: Scope, record_ids: Iterable[RecordId]) -> Mapping[RecordId, CrossCharge]:
        """Return what there is of these records."""
        found = await self._list_chunks(scope, cross_charge.c.record_id, set(record_ids))
        return {each.record_id: each for each in found}

    async def list_entries(self, scope: Scope, entry_ids: Sequence[EntryId]) -> Sequence[CrossCharge]:
        """Return those that were posted in these journal entries, in order of record."""
        found = await self._list_chunks(scope, cross_charge.c.entry_id, set(entry_ids))
        return sorted(found, key=lambda each: each.record_id)

    async def list_ticket(self, scope: Scope, ticket_id: TicketId, page: PageRequest) -> PageOf[CrossCharge]:
        """Return a page of what a platform ticket was named for, in order of record."""
        wanted = select(cross_charge).where(VISIBILITY.limit(scope), cross_charge.c.ticket_id == ticket_id)
        rows = await self._connection.fetch_all(order_page(wanted, cross_charge.c.record_id, page))
        return cut_page([CrossCharge(**row) for row in rows], page, lambda each: each.record_id)

    async def list_waiting(
        self, scope: Scope, ticket_id: TicketId, before: datetime | None = None
    ) -> Sequence[CrossCharge]:
        """Return the waiting ones of a ticket: all, or those whose calls were admitted before an instant."""
        is_waiting = (cross_charge.c.ticket_id == ticket_id) & (cross_charge.c.state == CrossChargeState.WAITING)
        if before is not None:
            is_waiting &= cross_charge.c.admitted_at < before
        return await self._list_where(scope, is_waiting)

    async def list_since(
        self, scope: Scope, organization_id: OrganizationId, counterparty_id: PlatformId, since: datetime
    ) -> Sequence[tuple[datetime, int]]:
        """Return when calls were admitted that were posted, and their wholesale amounts."""
        wanted = select(cross_charge.c.admitted_at, cross_charge.c.wholesale_nano).where(
            VISIBILITY.limit(scope),
            cross_charge.c.organization_id == organization_id,
            cross_charge.c.counterparty_id == counterparty_id,
            cross_charge.c.state == CrossChargeState.POSTED,
            cross_charge.c.admitted_at >= since,
        )
        rows = await self._connection.fetch_all(wanted.order_by(cross_charge.c.record_id))
        return [(row["admitted_at"], row["wholesale_nano"]) for row in rows]

    async def insert_many(self, charges: Sequence[CrossCharge]) -> None:
        """Insert new ones; raises AlreadyExists if one of their records has one."""
        rows = [{column.name: getattr(each, column.name) for column in cross_charge.columns} for each in charges]
        if rows:
            await self._connection.change(cross_charge.insert(), rows)

    async def settle_many(self, charges: Sequence[CrossCharge]) -> None:
        """Write what became of waiting ones, whose ticket this transaction has locked."""
        if not charges:
            return
        values: dict[str, object] = {name: bindparam(f"new_{name}") for name in SETTLED_COLUMNS}
        statement = update(cross_charge).where(cross_charge.c.record_id == bindparam("settled_id")).values(values)
        rows: list[dict[str, object]] = [
            {"settled_id": each.record_id, **{f"new_{name}": getattr(each, name) for name in SETTLED_COLUMNS}}
            for each in charges
        ]
        await self._connection.change(statement, rows)

    async def _list_chunks(self, scope: Scope, column: AnyColumn, ids: Iterable[UUID]) -> list[CrossCharge]:
        found: list[CrossCharge] = []
        for chunk in split_chunks(sorted(ids), PARAMETERS_PER_STATEMENT_MAX):
            found += await self._list_where(scope, self._connection.match_any(column, chunk))
        return found

    async def _list_where(self, scope: Scope, condition: Condition) -> list[CrossCharge]:
        wanted = select(cross_charge).where(VISIBILITY.limit(scope), condition).order_by(cross_charge.c.record_id)
        return [CrossCharge(**row) for row in await self._connection.fetch_all(wanted)]
