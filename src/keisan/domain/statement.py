"""Statements: what one holder spent or earned in one calendar month (UTC, by the day of admission) and one currency.

An open statement is computed from the records whenever it is asked for; a closed one is stored once, signed, and never
changed. Records that come after it was closed are late by construction: it closes no sooner than they are awaited.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from keisan.domain.access import OrganizationScope, PlatformScope, Scope
from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import (
    DisputeId,
    KeyId,
    ModelId,
    OrganizationId,
    PlatformId,
    PriceId,
    ProjectId,
    ProviderId,
    SiteId,
    StatementId,
)
from keisan.domain.limits import DISPUTE_WINDOW_S, USAGE_LATE_S_MAX
from keisan.domain.price import TokenClass

_PERIOD = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class HolderKind(StrEnum):
    """Whose statement it is: an organization's, which pays, or a provider's, which is paid."""

    CUSTOMER = "customer"
    PROVIDER = "provider"


class StatementState(StrEnum):
    """An open statement is computed when it is asked for; a closed one is stored."""

    OPEN = "open"
    CLOSED = "closed"


STATEMENT_TRANSITIONS: dict[StatementState, frozenset[StatementState]] = {
    StatementState.OPEN: frozenset({StatementState.CLOSED}),
    StatementState.CLOSED: frozenset(),
}


class CloseOutcome(StrEnum):
    """What came of closing one holder's period.

    `empty`: there is nothing to state. `passed`: a later period is closed, so what came since is on that one or the next.
    `earlier_open`: an earlier period has records and must be closed first. `failed`: something is not as it must be, such as
    lines that are not the sum of their records; an event says what.
    """

    CLOSED = "closed"
    EXISTS = "exists"
    EMPTY = "empty"
    PASSED = "passed"
    EARLIER_OPEN = "earlier_open"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, order=True)
class StatementHolder:
    """Who has statements: an organization or a provider, in one currency."""

    kind: HolderKind
    id: UUID
    currency: str

    @property
    def account(self) -> AccountKey:
        """Return the account that its statements are about: a wallet or a payable."""
        if self.kind is HolderKind.CUSTOMER:
            return AccountKey(AccountKind.WALLET, OrganizationId(self.id), None, self.currency)
        return AccountKey(AccountKind.PROVIDER_PAYABLE, None, ProviderId(self.id), self.currency)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days of admission, both included: of a statement, a calendar month."""

    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class StatementSpan:
    """Which records a statement holds: those of its period, as of the journal's entry `until_sequence`.

    It holds as well the records of earlier periods that belong to it since its last statement, `after_sequence`, was closed:
    suspense paid for them, and they came late to a provider, or were charged to a customer. None: no statement before.
    """

    holder: StatementHolder
    period: Period
    after_sequence: int | None
    until_sequence: int


@dataclass(frozen=True, slots=True)
class StatementSum:
    """A sum over a statement's records of one place: a customer's has project, key and price, a provider's site and chip.

    `amount_nano` is what the holder pays or is paid, each record rounded once; quantities by class.
    """

    project_id: ProjectId | None
    key_id: KeyId | None
    price_id: PriceId | None
    site_id: SiteId | None
    chip: str | None
    model_id: ModelId
    is_late: bool
    record_count: int
    quantities: Mapping[TokenClass, int]
    amount_nano: int
    tax_nano: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A sum with the names it had, for people. `nano_per_million` are unit prices: shown beside, never summed from."""

    sum: StatementSum
    project_name: str = ""
    key_name: str = ""
    site_name: str = ""
    model_name: str = ""
    price_version: int | None = None
    nano_per_million: Mapping[TokenClass, int] | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A dispute that was upheld since the last statement: `amount_nano` > 0, in the holder's favour."""

    dispute_id: DisputeId
    statement_id: StatementId
    amount_nano: int
    resolution: str
    resolved_at: datetime


@dataclass(frozen=True, slots=True)
class Totals:
    """`amount_nano` and `tax_nano` are sums of lines, tax being a part of the amount; `adjustment_nano` of adjustments.

    A record is a call, so `record_count` counts calls.
    """

    record_count: int
    amount_nano: int
    tax_nano: int
    adjustment_nano: int


@dataclass(frozen=True, slots=True)
class Balances:
    """What the holder's account held when the last statement was closed, and as of this one; in nano-units."""

    opening_nano: int
    closing_nano: int


@dataclass(frozen=True, slots=True)
class StatementContent:
    """All that a statement says; `id`, `records_root` (hex) and `closed_at` only once it is closed.

    The root is that of the Merkle tree over the receipts' leaves of all its records, in order of record id.
    """

    id: StatementId | None
    platform_id: PlatformId
    holder: StatementHolder
    holder_name: str
    period: Period
    totals: Totals
    balances: Balances
    entry_sequence: int
    records_root: str | None
    closed_at: datetime | None
    lines: Sequence[StatementLine]
    adjustments: Sequence[Adjustment]


@dataclass(frozen=True, slots=True)
class Statement:
    """A closed statement as it is kept: `document` are the signed bytes, `document_sha256` their digest in hex.

    `after_sequence` and `entry_sequence` are the journal's ends between which late records and disputes are on it.
    """

    id: StatementId
    platform_id: PlatformId
    holder: StatementHolder
    period: Period
    state: StatementState
    totals: Totals
    balances: Balances
    after_sequence: int | None
    entry_sequence: int
    records_root: str
    document: bytes
    document_sha256: str
    signature: bytes
    closed_at: datetime

    @property
    def span(self) -> StatementSpan:
        """Return which records it holds."""
        return StatementSpan(self.holder, self.period, self.after_sequence, self.entry_sequence)


@dataclass(frozen=True, slots=True)
class RecordsSeal:
    """What reading a statement's records one by one comes to; `root` in hex."""

    record_count: int
    amount_nano: int
    root: str


def find_period(day: date) -> Period:
    """Return the calendar month of a day."""
    first_day = day.replace(day=1)
    # No month has 32 days, so this is one of the next month.
    after = (first_day + timedelta(days=31)).replace(day=1) if first_day < date(9999, 12, 1) else date.max
    return Period(first_day, after - timedelta(days=1) if after != date.max else date.max)


def parse_period(text: str) -> Period:
    """Return the period that a text such as 2026-11 names; raises InvalidInput for any other."""
    match = _PERIOD.fullmatch(text)
    if match is None or match[1] == "0000":
        raise InvalidInput("expected a month such as 2026-11", "period")
    return find_period(date(int(match[1]), int(match[2]), 1))


def name_period(period: Period) -> str:
    """Return the text that parse_period reads."""
    return f"{period.first_day:%Y-%m}" if period.first_day.year >= 1000 else period.first_day.isoformat()[:7]


def find_closing_instant(period: Period) -> datetime:
    """Return from when on a period may be closed: what it still awaits at that moment comes late.

    A record of the period was admitted before its end, so at this moment or later its admission lies more than
    USAGE_LATE_S_MAX back, which is what makes it late. Raises OverflowError for the last month that there is.
    """
    last = period.last_day
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    return end + timedelta(seconds=USAGE_LATE_S_MAX)


def find_dispute_end(statement: Statement) -> datetime:
    """Return until when a statement may be disputed."""
    return statement.closed_at + timedelta(seconds=DISPUTE_WINDOW_S)


def add_sums(sums: Iterable[StatementSum]) -> list[StatementSum]:
    """Return sums over parts as sums over the whole, in order of what they are by: late ones last."""
    whole: dict[tuple[object, ...], StatementSum] = {}
    for each in sums:
        key = (each.is_late, each.project_id, each.key_id, each.price_id, each.site_id, each.chip, each.model_id)
        own = whole.get(key)
        whole[key] = each if own is None else _add(own, each)
    # What a statement's sums have none of, all of them have none of, so that no id is compared with None.
    return [whole[key] for key in sorted(whole)]


def _add(one: StatementSum, other: StatementSum) -> StatementSum:
    named = [word for word in TokenClass if word in one.quantities or word in other.quantities]
    return replace(
        one,
        record_count=one.record_count + other.record_count,
        quantities={word: one.quantities.get(word, 0) + other.quantities.get(word, 0) for word in named},
        amount_nano=one.amount_nano + other.amount_nano,
        tax_nano=one.tax_nano + other.tax_nano,
    )


def sum_totals(sums: Sequence[StatementSum], adjustments: Sequence[Adjustment]) -> Totals:
    """Return the totals of a statement: sums of what is on it, and of nothing else."""
    return Totals(
        record_count=sum(line.record_count for line in sums),
        amount_nano=sum(line.amount_nano for line in sums),
        tax_nano=sum(line.tax_nano for line in sums),
        adjustment_nano=sum(line.amount_nano for line in adjustments),
    )


def compute_due_nano(statement: Statement) -> int:
    """Return what a provider is to be paid for a statement: its records and the adjustments on it."""
    return statement.totals.amount_nano + statement.totals.adjustment_nano


def is_seen(holder: StatementHolder, scope: Scope) -> bool:
    """Tell whether a scope sees a holder's statements: an organization its own as a customer, a provider its own."""
    if isinstance(scope, PlatformScope):
        return True
    if isinstance(scope, OrganizationScope):
        return holder.kind is HolderKind.CUSTOMER and holder.id == scope.organization_id
    return holder.kind is HolderKind.PROVIDER and holder.id == scope.provider_id
