"""Deletes what is old, in bounded pieces, and finds what holds a day of usage records."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, select, tuple_, update

from keisan.domain.access import PlatformScope, Scope
from keisan.domain.delivery import DeliveryState
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.retention import DayClaim, RetentionKind, RetentionMark, is_through
from keisan.domain.statement import HolderKind, StatementHolder
from keisan.domain.suspense import SuspenseState
from keisan.domain.ticket import TicketState
from keisan.storage.connection import GuardedConnection
from keisan.storage.delivery import delivery
from keisan.storage.entry import entry
from keisan.storage.idempotency import stored_answer
from keisan.storage.repository import Condition, Visibility
from keisan.storage.retention_table import retention
from keisan.storage.schema import AnyColumn
from keisan.storage.ticket import ticket
from keisan.storage.usage_table import quarantined_record, suspended_record, usage_context, usage_record

PLATFORM_VISIBILITY = Visibility()
_FIELDS = tuple(column for column in retention.columns if column.name != "position")
_later = delivery.alias("later")


class _Expiry(NamedTuple):
    """Where a kind is stored, when it was done with, and what of it may go at all."""

    table: Table
    ended_at: AnyColumn
    conditions: Sequence[Condition] = ()


EXPIRIES: Mapping[RetentionKind, _Expiry] = {
    RetentionKind.ANSWERS: _Expiry(stored_answer, stored_answer.c.created_at),
    RetentionKind.TICKETS: _Expiry(ticket, ticket.c.closed_at, [ticket.c.state == TicketState.CLOSED]),
    RetentionKind.QUARANTINE: _Expiry(quarantined_record, quarantined_record.c.created_at),
    RetentionKind.DELIVERIES: _Expiry(
        delivery,
        delivery.c.created_at,
        [
            delivery.c.state == DeliveryState.DELIVERED,
            # The newest stays: the next one counts on from it.
            exists().where(_later.c.webhook_id == delivery.c.webhook_id, _later.c.sequence > delivery.c.sequence),
        ],
    ),
}
assert {RetentionKind.USAGE, *EXPIRIES} == set(RetentionKind)


class RetentionRepository:
    """The mark, and what is deleted under it."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def get_mark(self, scope: Scope) -> RetentionMark:
        """Return how far the deletion of usage records has come; raises NotFound outside a platform's scope."""
        if not isinstance(scope, PlatformScope):
            raise NotFound("there is no retention outside a platform")
        row = await self._connection.fetch_first(select(*_FIELDS))
        return RetentionMark() if row is None else RetentionMark(**row)

    async def put_mark(self, mark: RetentionMark) -> None:
        """Write how far it has come; only who holds the lease on it does."""
        values = {column.name: getattr(mark, column.name) for column in _FIELDS}
        if await self._connection.change(update(retention), values) == 0:
            await self._connection.change(retention.insert(), values | {"position": 1})

    async def hold_days(self) -> None:
        """Let no day be deleted until this view or transaction ends."""
        await self._connection.hold_days()

    async def join_posting(self) -> None:
        """Let whoever closes a day wait until this transaction ends, as it waits for who inserts records."""
        await self._connection.join_posting()

    async def find_oldest_day(self, scope: Scope, after: date | None) -> date | None:
        """Return the first day after one that has stored usage records."""
        wanted = select(func.min(usage_record.c.day).label("day")).where(PLATFORM_VISIBILITY.limit(scope))
        row = await self._connection.fetch_first(wanted if after is None else wanted.where(usage_record.c.day > after))
        return None if row is None else row["day"]

    async def count_day(self, scope: Scope, day: date) -> int:
        """Return how many usage records of a day are stored."""
        wanted = select(func.count().label("count")).select_from(usage_record)
        row = await self._connection.fetch_first(
            wanted.where(PLATFORM_VISIBILITY.limit(scope), usage_record.c.day == day)
        )
        assert row is not None
        return int(row["count"])

    async def list_claims(self, scope: Scope, day: date) -> Sequence[DayClaim]:
        """Return all who must have a day's stored records on a closed statement, in order."""
        # What suspense paid for is on a customer's statement once it was charged, from the entry of that on.
        charged = suspended_record.c.entry_sequence
        is_on = suspended_record.c.record_id.is_(None) | (suspended_record.c.state == SuspenseState.CHARGED)
        sides: tuple[tuple[HolderKind, AnyColumn, ColumnElement[Any], Sequence[Condition]], ...] = (
            (HolderKind.CUSTOMER, usage_context.c.organization_id, func.coalesce(charged, entry.c.sequence), [is_on]),
            (HolderKind.PROVIDER, usage_context.c.provider_id, entry.c.sequence, []),
        )
        claims: list[DayClaim] = []
        for kind, owner, sequence, conditions in sides:
            wanted = (
                select(owner.label("owner_id"), usage_context.c.currency, func.max(sequence).label("sequence"))
                .join_from(usage_record, usage_context, usage_context.c.id == usage_record.c.context_id)
                .outerjoin(entry, entry.c.id == usage_record.c.entry_id)
                .outerjoin(suspended_record, suspended_record.c.record_id == usage_record.c.id)
                .where(PLATFORM_VISIBILITY.limit(scope), usage_record.c.day == day, *conditions)
                .group_by(owner, usage_context.c.currency)
            )
            for row in await self._connection.fetch_all(wanted):
                holder = StatementHolder(kind, row["owner_id"], row["currency"])
                claims.append(DayClaim(holder, row["sequence"] or 0))
        return sorted(claims, key=lambda claim: claim.holder)

    async def delete_day(self, day: date, most: int) -> bool:
        """Delete a day's usage records, as a whole or so many of them, and tell whether none is left.

        Raises InvariantBroken unless the day is read from the archive, StorageUnavailable while somebody reads.
        """
        row = await self._connection.fetch_first(select(retention.c.archived_through))
        if row is None or not is_through(day, row["archived_through"]):
            raise InvariantBroken("only what is read from the archive is deleted", f"{day} is not")
        if await self._connection.drop_day(day):
            return True
        place = tuple_(usage_record.c.day, usage_record.c.id)
        some = select(usage_record.c.day, usage_record.c.id).where(usage_record.c.day == day).limit(most)
        return await self._connection.change(delete(usage_record).where(place.in_(some))) < most

    async def count_expired(self, scope: Scope, kind: RetentionKind, before: datetime) -> int:
        """Return how many of a kind other than usage may go."""
        expiry = EXPIRIES[kind]
        wanted = select(func.count().label("count")).select_from(expiry.table)
        row = await self._connection.fetch_first(
            wanted.where(PLATFORM_VISIBILITY.limit(scope), _match_expired(expiry, before))
        )
        assert row is not None
        return int(row["count"])

    async def delete_expired(self, kind: RetentionKind, before: datetime, most: int) -> int:
        """Delete some of a kind other than usage that may go, and return how many there were."""
        expiry = EXPIRIES[kind]
        key = list(expiry.table.primary_key.columns)
        some = select(*key).where(_match_expired(expiry, before)).limit(most)
        return await self._connection.change(delete(expiry.table).where(tuple_(*key).in_(some)))


def _match_expired(expiry: _Expiry, before: datetime) -> Condition:
    return and_(expiry.ended_at < before, *expiry.conditions)
