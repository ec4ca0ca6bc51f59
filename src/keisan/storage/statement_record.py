"""The usage records that are on statements: by holder and day of admission, and what came after an earlier one was closed.

A record's id begins with its moment of admission, so order of id is order of day, and a span of days is a span of ids.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Exists, exists, func, literal, select

from keisan.domain.access import Scope
from keisan.domain.ids import RecordId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.statement import HolderKind, Period, StatementHolder, StatementSpan, StatementSum, is_seen
from keisan.domain.suspense import SuspenseState
from keisan.domain.usage import EPOCH, RECORD_ID_RANDOM_BITS, PostedRecord
from keisan.storage.account import account
from keisan.storage.account import describe_key as describe_account
from keisan.storage.connection import GuardedConnection
from keisan.storage.entry import entry
from keisan.storage.exact_sum import ExactSum
from keisan.storage.head import head
from keisan.storage.repository import Condition, Visibility, cut_page, order_page
from keisan.storage.schema import AnyRow, AnySelect
from keisan.storage.usage import select_posted
from keisan.storage.usage_table import (
    QUANTITY_COLUMNS,
    VISIBILITY,
    read_quantities,
    suspended_record,
    to_posted_records,
    usage_context,
    usage_record,
)

PLATFORM_VISIBILITY = Visibility()
ONE_DAY = timedelta(days=1)
# What a holder's records are summed by, beside the model.
GROUPS = {
    HolderKind.CUSTOMER: ("project_id", "key_id", "price_id"),
    HolderKind.PROVIDER: ("site_id", "chip"),
}
# What a holder pays or is paid for a record.
AMOUNTS = {HolderKind.CUSTOMER: "amount_nano", HolderKind.PROVIDER: "provider_nano"}


class StatementRecordRepository:
    """Sums and lists the records of spans."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def await_posting(self) -> None:
        """Return once every transaction that has inserted usage records by now has ended."""
        await self._connection.await_posting()

    async def list_holders(self, scope: Scope) -> Sequence[StatementHolder]:
        """Return all who have usage records, in order; nobody outside a platform's scope."""
        found: set[StatementHolder] = set()
        for kind, column in (
            (HolderKind.CUSTOMER, usage_context.c.organization_id),
            (HolderKind.PROVIDER, usage_context.c.provider_id),
        ):
            wanted = select(column.label("id"), usage_context.c.currency).where(PLATFORM_VISIBILITY.limit(scope))
            rows = await self._connection.fetch_all(wanted.distinct())
            found |= {StatementHolder(kind, row["id"], row["currency"]) for row in rows}
        return sorted(found)

    async def get_end(self, scope: Scope, holder: StatementHolder) -> tuple[int, int]:
        """Return the sequence of the journal's last entry, and the balance of the holder's account as of it.

        One statement reads both, so that no entry comes between; an account that is not there, or not seen, holds 0.
        """
        described = describe_account(holder.account)
        is_own = (account.c.holder, account.c.kind, account.c.currency)
        matches = [column == value for column, value in zip(is_own, described, strict=True)]
        matches.append(literal(is_seen(holder, scope)))
        balance = select(account.c.balance_nano).where(*matches).scalar_subquery()
        row = await self._connection.fetch_first(select(head.c.entry_sequence, balance.label("balance_nano")))
        assert row is not None
        return int(row["entry_sequence"]), int(row["balance_nano"] or 0)

    async def find_first_day(self, scope: Scope, span: StatementSpan) -> date | None:
        """Return the first day of a span's period that has a record, None if none has."""
        wanted = select(usage_record.c.day).where(*_match_own(scope, span)).order_by(usage_record.c.id).limit(1)
        row = await self._connection.fetch_first(_join_context(wanted))
        return None if row is None else row["day"]

    async def sum(self, scope: Scope, span: StatementSpan) -> Sequence[StatementSum]:
        """Return the sums of a span's period, without its late records."""
        return await self._sum(span, _match_own(scope, span), is_late=False)

    async def sum_late(self, scope: Scope, span: StatementSpan) -> Sequence[StatementSum]:
        """Return the sums of a span's late records: those of earlier periods."""
        return await self._sum(span, _match_late(scope, span), is_late=True) if _has_late(span) else ()

    async def list(self, scope: Scope, span: StatementSpan, page: PageRequest) -> PageOf[PostedRecord]:
        """Return a page of a span's records in order of id: late ones were admitted before, so they come first."""
        rows: list[AnyRow] = []
        if _has_late(span):
            rows += await self._fetch(_match_late(scope, span), page)
        if len(rows) <= page.limit:
            rows += await self._fetch(_match_own(scope, span), page)
        found = to_posted_records(rows[: page.limit + 1])
        return cut_page(found, page, lambda posted: posted.record.id)

    async def has_all(self, scope: Scope, span: StatementSpan, record_ids: Sequence[RecordId]) -> bool:
        """Tell whether all of these records are in a span."""
        wanted = set(record_ids)
        spans = [_match_own(scope, span)] + ([_match_late(scope, span)] if _has_late(span) else [])
        for conditions in spans:
            is_named = usage_record.c.id.in_(sorted(wanted))
            rows = await self._connection.fetch_all(
                _join_context(select(usage_record.c.id).where(*conditions, is_named))
            )
            wanted -= {row["id"] for row in rows}
        return not wanted

    async def _fetch(self, conditions: Sequence[Condition], page: PageRequest) -> Sequence[AnyRow]:
        return await self._connection.fetch_all(order_page(select_posted().where(*conditions), usage_record.c.id, page))

    async def _sum(
        self, span: StatementSpan, conditions: Sequence[Condition], *, is_late: bool
    ) -> Sequence[StatementSum]:
        kind = span.holder.kind
        groups = [usage_context.c[name] for name in (*GROUPS[kind], "model_id")]
        sums = [ExactSum(usage_record.c[name]).label(name) for name in QUANTITY_COLUMNS.values()]
        sums.append(ExactSum(usage_record.c[AMOUNTS[kind]]).label("amount_nano"))
        sums.append(ExactSum(usage_record.c.tax_nano).label("tax_nano"))
        wanted = select(*groups, func.count().label("record_count"), *sums).where(*conditions)
        rows = await self._connection.fetch_all(_join_context(wanted).group_by(*groups))
        return [_to_sum(kind, row, is_late=is_late) for row in rows]


def find_first_id(instant_day: date) -> UUID:
    """Return the smallest id that a record of a day or later can have."""
    midnight = datetime(instant_day.year, instant_day.month, instant_day.day, tzinfo=EPOCH.tzinfo)
    milliseconds = max(0, (midnight - EPOCH).days) * 86_400_000
    return UUID(int=milliseconds << RECORD_ID_RANDOM_BITS)


def _join_context(wanted: AnySelect) -> AnySelect:
    return wanted.join_from(usage_record, usage_context, usage_context.c.id == usage_record.c.context_id)


def _match_holder(scope: Scope, holder: StatementHolder) -> list[Condition]:
    names = {HolderKind.CUSTOMER: "organization_id", HolderKind.PROVIDER: "provider_id"}
    # An organization's records are a provider's too: each sees its own side of them.
    return [
        literal(is_seen(holder, scope)),
        VISIBILITY.limit(scope),
        usage_record.c[names[holder.kind]] == holder.id,
        usage_context.c.currency == holder.currency,
    ]


def _match_own(scope: Scope, span: StatementSpan) -> list[Condition]:
    """Return the conditions of the records of a span's period.

    A customer's are those that its wallet paid for by the span's end, a provider's those that were posted by it.
    """
    is_off = _is_off(span.holder.kind, span.until_sequence)
    return [*_match_holder(scope, span.holder), *_match_days(span.period), ~is_off]


def _match_days(period: Period) -> list[Condition]:
    """Return the conditions of the records of some days: by day for partitions, and by id for indexes."""
    first, last = period.first_day, period.last_day
    conditions = [usage_record.c.day.between(first, last), usage_record.c.id >= find_first_id(first)]
    return conditions if last == date.max else [*conditions, usage_record.c.id < find_first_id(last + ONE_DAY)]


def _has_late(span: StatementSpan) -> bool:
    return span.after_sequence is not None


def _match_late(scope: Scope, span: StatementSpan) -> list[Condition]:
    """Return the conditions of the records of earlier periods that came, or were charged, between a span's two ends."""
    assert span.after_sequence is not None
    return [
        *_match_holder(scope, span.holder),
        usage_record.c.day < span.period.first_day,
        # By day as well, so that each of the few is looked up in one partition.
        exists().where(suspended_record.c.record_id == usage_record.c.id, suspended_record.c.day == usage_record.c.day),
        _is_off(span.holder.kind, span.after_sequence),
        ~_is_off(span.holder.kind, span.until_sequence),
    ]


def _is_off(kind: HolderKind, sequence: int) -> Exists:
    """Return the condition that suspense paid for a record that is on no statement which ends at the entry of a number.

    A customer's is not until the entry that charged it, a provider's until the one that posted it.
    """
    is_suspended = suspended_record.c.record_id == usage_record.c.id
    if kind is HolderKind.PROVIDER:
        return exists().where(is_suspended, entry.c.id == usage_record.c.entry_id, entry.c.sequence > sequence)
    is_unpaid = (suspended_record.c.state != SuspenseState.CHARGED) | (suspended_record.c.entry_sequence > sequence)
    return exists().where(is_suspended, is_unpaid)


def _to_sum(kind: HolderKind, row: AnyRow, *, is_late: bool) -> StatementSum:
    is_customer = kind is HolderKind.CUSTOMER
    return StatementSum(
        project_id=row["project_id"] if is_customer else None,
        key_id=row["key_id"] if is_customer else None,
        price_id=row["price_id"] if is_customer else None,
        site_id=None if is_customer else row["site_id"],
        chip=None if is_customer else row["chip"],
        model_id=row["model_id"],
        is_late=is_late,
        record_count=row["record_count"],
        quantities=read_quantities(row),
        amount_nano=row["amount_nano"],
        # A provider is paid without tax.
        tax_nano=row["tax_nano"] if is_customer else 0,
    )
