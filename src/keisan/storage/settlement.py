"""Settlements between platforms, the hourly totals that belong to them, and records on which two platforms do not agree."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    exists,
    func,
    select,
)

from keisan.domain.access import Scope
from keisan.domain.ids import PlatformId, SettlementId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.settlement import (
    ONE_HOUR,
    PlatformDispute,
    Settlement,
    SettlementKey,
    SettlementState,
    SignedText,
    ToldTotal,
    find_hour,
)
from keisan.domain.usage import RECORD_ID_RANDOM_BITS, PostedRecord
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.storage.connection import GuardedConnection
from keisan.storage.cross_record import cross_record
from keisan.storage.platform import PlatformRepository
from keisan.storage.repository import Condition, TableRepository, Visibility, cut_page, order_page
from keisan.storage.schema import (
    AnyRow,
    EnumText,
    ExactInteger,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)
from keisan.storage.usage import select_posted
from keisan.storage.usage_table import to_posted_records, usage_record
from keisan.wire.settlement import read_total

VISIBILITY = Visibility()
# A text that was signed is three columns.
SIGNED_PARTS = ("content", "signature", "public_key")
SIGNED_NAMES = ("statement", "countersignature")


def encode_codes(codes: Sequence[str]) -> list[str]:
    """Return codes as JSON keeps them."""
    return list(codes)


def decode_codes(stored: Sequence[str]) -> tuple[str, ...]:
    """Return what encode_codes was given."""
    return tuple(stored)


settlement = Table(
    "settlement",
    metadata,
    *build_noun_columns(),
    build_column("author", Text()),
    build_column("audience", Text()),
    build_column("period", Text()),
    build_column("state", EnumText(SettlementState)),
    build_column("revision", BigInteger()),
    *(
        build_column(f"{name}_{part}", LargeBinary(), is_nullable=True)
        for name in SIGNED_NAMES
        for part in SIGNED_PARTS
    ),
    build_column("ended_at", Instant(), is_nullable=True),
    build_column("countersigned_at", Instant(), is_nullable=True),
    UniqueConstraint("author", "audience", "period"),
)

hourly_total = Table(
    "hourly_total",
    metadata,
    build_id("id"),
    build_column("author", Text()),
    build_column("audience", Text()),
    build_column("hour", Text()),
    build_column("period", Text()),
    build_column("region", Text()),
    build_column("body", LargeBinary()),
    build_column("leaf_hash", LargeBinary()),
    build_column("created_at", Instant()),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("author", "audience", "hour", "region"),
)

platform_dispute = Table(
    "platform_dispute",
    metadata,
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    build_column("home_id", Text()),
    build_column("serving_id", Text()),
    build_column("period", Text()),
    build_column("codes", Structure(encode_codes, decode_codes)),
    build_column("currency", Text()),
    build_column("amount_nano", ExactInteger()),
    build_column("created_at", Instant()),
)


class SettlementRepository(TableRepository[Settlement, SettlementId]):
    """Settlements by id, and by author, audience and period."""

    table = settlement
    noun_type = Settlement
    visibility = VISIBILITY

    def __init__(self, connection: GuardedConnection, platform: PlatformRepository) -> None:
        super().__init__(connection)
        self._platform = platform

    async def take(self, key: SettlementKey, created_at: datetime) -> Settlement:
        """Return a settlement, open if it is new, locked until commit."""
        wanted = select(settlement).where(*_match(key))
        rows = await self._connection.fetch_locked(wanted)
        if not rows:
            await self._open(key, created_at)
            rows = await self._connection.fetch_locked(wanted)
        return self._to_noun(rows[0])

    async def _open(self, key: SettlementKey, created_at: datetime) -> None:
        fresh = Settlement(
            id=SettlementId(create_id()),
            platform_id=await self._platform.get_id(),
            author=key.author,
            audience=key.audience,
            period=key.period,
            state=SettlementState.OPEN,
            revision=0,
            statement=None,
            countersignature=None,
            version=1,
            created_at=created_at,
            ended_at=None,
            countersigned_at=None,
        )
        await self._connection.insert_or_ignore(settlement, self._to_row(fresh))

    async def find(self, scope: Scope, key: SettlementKey) -> Settlement | None:
        """Return a settlement by what it is of."""
        return await self._find(scope, *_match(key))

    async def list_period(self, scope: Scope, period: str) -> Sequence[Settlement]:
        """Return all of one period, in order of author and audience."""
        found = await self._list_where(scope, settlement.c.period == period)
        return sorted(found, key=lambda each: (each.author, each.audience))

    async def list_open(self, scope: Scope, author: PlatformId) -> Sequence[Settlement]:
        """Return an author's that are not ended yet, oldest period first."""
        is_open = (settlement.c.author == author) & (settlement.c.state == SettlementState.OPEN)
        found = await self._list_where(scope, is_open)
        return sorted(found, key=lambda each: (each.period, each.audience))

    async def list_unsigned(self, scope: Scope, author: PlatformId) -> Sequence[Settlement]:
        """Return an author's that only one side has signed for, or none, oldest period first."""
        is_unsigned = (settlement.c.author == author) & (settlement.c.state != SettlementState.COUNTERSIGNED)
        found = await self._list_where(scope, is_unsigned)
        return sorted(found, key=lambda each: (each.period, each.audience))

    async def list_ended(self, scope: Scope, author: PlatformId, audience: PlatformId) -> frozenset[str]:
        """Return the periods that an author has ended for this audience."""
        is_wanted = (settlement.c.author == author) & (settlement.c.audience == audience)
        is_ended = settlement.c.state != SettlementState.OPEN
        wanted = select(settlement.c.period).where(VISIBILITY.limit(scope), is_wanted, is_ended)
        return frozenset(row["period"] for row in await self._connection.fetch_all(wanted))

    async def list_countersigned(self, scope: Scope) -> Sequence[SettlementKey]:
        """Return those that both sides have signed for: only their letters may be dropped."""
        names = [settlement.c[name] for name in ("author", "audience", "period")]
        is_signed = settlement.c.state == SettlementState.COUNTERSIGNED
        rows = await self._connection.fetch_all(select(*names).where(VISIBILITY.limit(scope), is_signed))
        return [SettlementKey(**row) for row in rows]

    def _to_row(self, noun: Settlement) -> dict[str, object]:
        own = {name: getattr(noun, name) for name in _PLAIN}
        for name in SIGNED_NAMES:
            signed = getattr(noun, name)
            own |= {f"{name}_{part}": None if signed is None else getattr(signed, part) for part in SIGNED_PARTS}
        return own

    def _to_noun(self, row: AnyRow) -> Settlement:
        plain = {name: row[name] for name in _PLAIN}
        statement, countersignature = (_read_signed(row, name) for name in SIGNED_NAMES)
        return Settlement(**plain, statement=statement, countersignature=countersignature)


class TotalRepository:
    """Hourly totals."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def insert(self, told: ToldTotal) -> bool:
        """Keep a total and tell whether it is new: there is one of each author, audience, hour and region."""
        total = told.total
        row = {name: getattr(total, name) for name in ("id", "author", "hour", "period", "region")}
        row |= {name: getattr(told, name) for name in ("audience", "body", "leaf_hash", "created_at")}
        return await self._connection.insert_or_ignore(hourly_total, row)

    async def find_last_hour(self, scope: Scope, author: PlatformId, audience: PlatformId) -> str | None:
        """Return the last hour of which an author told this audience."""
        is_own = (hourly_total.c.author == author) & (hourly_total.c.audience == audience)
        wanted = select(func.max(hourly_total.c.hour).label("hour")).where(VISIBILITY.limit(scope), is_own)
        row = await self._connection.fetch_first(wanted)
        return None if row is None else row["hour"]

    async def list_records(self, scope: Scope, hour: str, page: PageRequest) -> PageOf[PostedRecord]:
        """Return a page of the usage records that a total of an hour is made of, in order of id: those that crossed nothing."""
        begins_at = find_hour(hour)
        first, end = (to_milliseconds(each) << RECORD_ID_RANDOM_BITS for each in (begins_at, begins_at + ONE_HOUR))
        has_crossed = exists().where(cross_record.c.record_id == usage_record.c.id)
        wanted = select_posted().where(
            VISIBILITY.limit(scope),
            # By day for partitions, and by id for indexes.
            usage_record.c.day == begins_at.date(),
            usage_record.c.id >= UUID(int=first),
            usage_record.c.id < UUID(int=end),
            ~has_crossed,
        )
        rows = await self._connection.fetch_all(order_page(wanted, usage_record.c.id, page))
        return cut_page(to_posted_records(rows), page, lambda posted: posted.record.id)

    async def list_by_ids(self, scope: Scope, ids: Sequence[UUID]) -> Sequence[ToldTotal]:
        """Return totals by id, in order of id."""
        return await self._list(VISIBILITY.limit(scope), self._connection.match_any(hourly_total.c.id, list(ids)))

    async def list_key(self, scope: Scope, key: SettlementKey) -> Sequence[ToldTotal]:
        """Return a settlement's totals in order of id."""
        is_own = [hourly_total.c[name] == getattr(key, name) for name in ("author", "audience", "period")]
        return await self._list(VISIBILITY.limit(scope), *is_own)

    async def _list(self, *conditions: Condition) -> Sequence[ToldTotal]:
        wanted = select(hourly_total).where(*conditions).order_by(hourly_total.c.id)
        names = ("audience", "body", "leaf_hash", "created_at")
        rows = await self._connection.fetch_all(wanted)
        return [ToldTotal(total=read_total(row["body"]), **{name: row[name] for name in names}) for row in rows]


class PlatformDisputeRepository:
    """Disputed records by their id."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def put(self, dispute: PlatformDispute) -> None:
        """Keep one; the same again changes nothing."""
        row = {column.name: getattr(dispute, column.name) for column in platform_dispute.columns}
        await self._connection.insert_or_ignore(platform_dispute, row)

    async def list(self, scope: Scope, page: PageRequest) -> PageOf[PlatformDispute]:
        """Return a page in order of record."""
        wanted = select(platform_dispute).where(VISIBILITY.limit(scope))
        rows = await self._connection.fetch_all(order_page(wanted, platform_dispute.c.id, page))
        return cut_page([PlatformDispute(**row) for row in rows], page, lambda dispute: dispute.id)


_SIGNED_COLUMNS = frozenset(f"{name}_{part}" for name in SIGNED_NAMES for part in SIGNED_PARTS)
_PLAIN = tuple(column.name for column in settlement.columns if column.name not in _SIGNED_COLUMNS)


def _match(key: SettlementKey) -> list[Condition]:
    return [settlement.c[name] == getattr(key, name) for name in ("author", "audience", "period")]


def _read_signed(row: AnyRow, name: str) -> SignedText | None:
    parts = [row[f"{name}_{part}"] for part in SIGNED_PARTS]
    return None if parts[0] is None else SignedText(*parts)
