"""What is remembered of platforms below: reports of sites, and marks of exchanges."""

from collections.abc import Sequence

from sqlalchemy import PrimaryKeyConstraint, Table, Text, select, update

from keisan.domain.access import Scope
from keisan.domain.exchange import Exchange, ExchangeMark, ExchangeState
from keisan.domain.site_report import SiteReport
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import Visibility
from keisan.storage.schema import EnumText, Instant, build_column, build_id, metadata

VISIBILITY = Visibility()

site_report = Table(
    "site_report",
    metadata,
    build_id("site_id"),
    build_column("reporter_id", Text()),
    build_column("seen_at", Instant()),
    build_column("verified_at", Instant(), is_nullable=True),
    PrimaryKeyConstraint("site_id", "reporter_id"),
)
exchange_mark = Table(
    "exchange_mark",
    metadata,
    build_column("platform_id", Text()),
    build_column("exchange", EnumText(Exchange)),
    build_column("state", EnumText(ExchangeState)),
    build_column("since", Instant()),
    PrimaryKeyConstraint("platform_id", "exchange"),
)


class SiteReportRepository:
    """Reports by site and reporter."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def list_all(self, scope: Scope) -> Sequence[SiteReport]:
        """Return all, in order of site and reporter."""
        own = site_report.c
        wanted = select(site_report).where(VISIBILITY.limit(scope)).order_by(own.site_id, own.reporter_id)
        return [SiteReport(**row) for row in await self._connection.fetch_all(wanted)]

    async def put(self, report: SiteReport) -> None:
        """Keep a report, or note when one that is kept was verified first."""
        own = site_report.c
        row = {column.name: getattr(report, column.name) for column in site_report.columns}
        if await self._connection.insert_or_ignore(site_report, row) or report.verified_at is None:
            return
        is_same = (own.site_id == report.site_id) & (own.reporter_id == report.reporter_id)
        proved = update(site_report).where(is_same, own.verified_at.is_(None)).values(verified_at=report.verified_at)
        await self._connection.change(proved)


class ExchangeRepository:
    """Marks by platform and exchange."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def list_all(self, scope: Scope) -> Sequence[ExchangeMark]:
        """Return all, in order of platform and exchange."""
        own = exchange_mark.c
        wanted = select(exchange_mark).where(VISIBILITY.limit(scope)).order_by(own.platform_id, own.exchange)
        return [ExchangeMark(**row) for row in await self._connection.fetch_all(wanted)]

    async def put(self, mark: ExchangeMark) -> None:
        """Keep a mark in place of the one before."""
        row = {column.name: getattr(mark, column.name) for column in exchange_mark.columns}
        changed = ("state", "since")
        statement = self._connection.upsert(exchange_mark, lambda excluded: {name: excluded[name] for name in changed})
        await self._connection.change(statement, [row])
