"""What holders spent day by day, for forecasts: sums over usage records by local day, made by the database.

Days are those of a time zone, so a day begins at an instant; records are sorted into them by halves.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, case, exists, literal, select

from keisan.domain.access import Scope
from keisan.domain.forecast import DaySum, LocalDay
from keisan.domain.holder import Holder
from keisan.domain.ids import OrganizationId
from keisan.storage.connection import GuardedConnection
from keisan.storage.exact_sum import ExactSum
from keisan.storage.repository import Visibility, limit_to_owner
from keisan.storage.schema import AnyColumn
from keisan.storage.statement_record import find_first_id
from keisan.storage.usage_table import suspended_record, usage_context, usage_record

INSTANT = timedelta(microseconds=1)
# What a customer spends is no provider's business.
VISIBILITY = Visibility(organization=limit_to_owner(usage_record.c.organization_id))


class ForecastRepository:
    """Sums what holders spent by day."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def sum_days(
        self, scope: Scope, organization_id: OrganizationId, holders: Sequence[Holder], days: Sequence[LocalDay]
    ) -> Sequence[DaySum]:
        """Return what an organization's holders spent on days that follow each other; those without spending are left out."""
        found: list[DaySum] = []
        for column, wanted in _sort_holders(holders):
            if wanted:
                found += await self._sum(scope, organization_id, column, wanted, days)
        return found

    async def _sum(
        self,
        scope: Scope,
        organization_id: OrganizationId,
        column: AnyColumn,
        holders: Sequence[Holder],
        days: Sequence[LocalDay],
    ) -> Sequence[DaySum]:
        first, last = days[0], days[-1]
        first_day, last_day = first.starts_at.date(), (last.ends_at - INSTANT).date()
        # Suspense paid for these, so no wallet and no budget did.
        is_suspended = exists().where(suspended_record.c.record_id == usage_record.c.id)
        placed = (
            select(
                column.label("holder_id"),
                usage_context.c.currency,
                _choose_place(days, 0, len(days)).label("place"),
                usage_record.c.amount_nano,
            )
            .join_from(usage_record, usage_context, usage_context.c.id == usage_record.c.context_id)
            .where(
                VISIBILITY.limit(scope),
                usage_record.c.organization_id == organization_id,
                usage_record.c.day.between(first_day, last_day),
                usage_record.c.id >= find_first_id(first_day),
                usage_record.c.admitted_at >= first.starts_at,
                usage_record.c.admitted_at < last.ends_at,
                self._connection.match_any(column, [holder.id for holder in holders]),
                ~is_suspended,
            )
            .subquery()
        )
        groups = (placed.c.holder_id, placed.c.currency, placed.c.place)
        summed = ExactSum(placed.c.amount_nano).label("amount_nano")
        rows = await self._connection.fetch_all(select(*groups, summed).group_by(*groups).order_by(*groups))
        return [
            DaySum(row["holder_id"], row["currency"], days[int(row["place"])].day, int(row["amount_nano"]))
            for row in rows
        ]


def _sort_holders(holders: Sequence[Holder]) -> list[tuple[AnyColumn, list[Holder]]]:
    """Return holders by the column that names them: each is the finest that it names."""
    keys = [each for each in holders if each.key_id is not None]
    projects = [each for each in holders if each.key_id is None and each.project_id is not None]
    owners = [each for each in holders if each.key_id is None and each.project_id is None]
    return [
        (usage_context.c.organization_id, owners),
        (usage_context.c.project_id, projects),
        (usage_context.c.key_id, keys),
    ]


def _choose_place(days: Sequence[LocalDay], first: int, end: int) -> ColumnElement[int]:
    """Return the place of a record's day among `days[first:end]`: six comparisons for 64 days."""
    if end - first == 1:
        return literal(first)
    middle = (first + end) // 2
    is_before = usage_record.c.admitted_at < days[middle].starts_at
    return case((is_before, _choose_place(days, first, middle)), else_=_choose_place(days, middle, end))
