"""Settlements: what one platform told another of one period, ended by its word and closed when the other has signed for it.

Each pair of platforms has two a period, one for each author, and each stands by itself: one that is open holds up no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from keisan.domain.cross_record import CrossState, RecordEnd
from keisan.domain.errors import StateConflict
from keisan.domain.ids import PlatformId, SettlementId
from keisan.domain.link_log import SettledPeriod
from keisan.domain.price import TokenClass

ONE_HOUR = timedelta(hours=1)
# There is one queue of settlements on a platform, and no row that could give it an id.
SETTLEMENT_ID = UUID("0190a7c0-0000-7000-8000-000000000025")


class SettlementState(StrEnum):
    """`open` until the author's word that the period is over, `ended` until the audience has signed for the same.

    `differs` says that the audience has something else than the author: trees are compared, and nothing is signed.
    """

    OPEN = "open"
    ENDED = "ended"
    DIFFERS = "differs"
    COUNTERSIGNED = "countersigned"


# An author that was given back what it had lost ends the period anew: so `differs` leads to `ended` again.
NEXT_STATES: Mapping[SettlementState, frozenset[SettlementState]] = {
    SettlementState.OPEN: frozenset({SettlementState.ENDED}),
    SettlementState.ENDED: frozenset({SettlementState.ENDED, SettlementState.DIFFERS, SettlementState.COUNTERSIGNED}),
    SettlementState.DIFFERS: frozenset({SettlementState.ENDED, SettlementState.COUNTERSIGNED}),
    SettlementState.COUNTERSIGNED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class SettlementKey:
    """Which settlement: whose word, to whom, of which period."""

    author: PlatformId
    audience: PlatformId
    period: str


@dataclass(frozen=True, slots=True)
class CrossSum:
    """What records of one settlement come to: of one end and state, in one currency."""

    end: RecordEnd
    state: CrossState
    currency: str
    record_count: int
    amount_nano: int


@dataclass(frozen=True, slots=True)
class PeriodStatement:
    """What an author says at the end of a period, all of it signed.

    `receivable_nano` is what it served its audience for and wants, `payable_nano` what it owes by its own count, by currency.
    Totals are its hourly sums of local usage, told to its parent alone; the root is over records and totals in order of their
    ids. `revision` rises when it ends a period anew.
    """

    author: PlatformId
    audience: PlatformId
    period: str
    revision: int
    record_count: int
    total_count: int
    leaves_root: str
    receivable_nano: Mapping[str, int]
    payable_nano: Mapping[str, int]
    ended_at_ms: int


@dataclass(frozen=True, slots=True)
class CountersignedPeriod:
    """What an audience signs: the statement by its digest, and how much of it it settles and holds back, by currency."""

    signer: PlatformId
    author: PlatformId
    period: str
    statement_sha256: str
    settled_nano: Mapping[str, int]
    held_nano: Mapping[str, int]
    signed_at_ms: int


@dataclass(frozen=True, slots=True)
class SignedText:
    """Bytes as somebody signed them."""

    content: bytes
    signature: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Settlement:
    """One author's word to one audience on one period; `statement` and `countersignature` as they were signed."""

    id: SettlementId
    platform_id: PlatformId
    author: PlatformId
    audience: PlatformId
    period: str
    state: SettlementState
    revision: int
    statement: SignedText | None
    countersignature: SignedText | None
    version: int
    created_at: datetime
    ended_at: datetime | None
    countersigned_at: datetime | None


@dataclass(frozen=True, slots=True)
class TotalLine:
    """What one model came to on one chip within an hourly total."""

    model: str
    chip: str
    record_count: int
    quantities: Mapping[TokenClass, int]


@dataclass(frozen=True, slots=True)
class HourlyTotal:
    """The local usage of one platform in one hour and region; `records_root` (hex) is over the leaves of its raw records.

    `hour` reads like `2026-11-27T13`. `region` is told, and stands only if its author's names vouch for it.
    """

    id: UUID
    author: PlatformId
    hour: str
    region: str
    organization_count: int
    record_count: int
    records_root: str
    lines: tuple[TotalLine, ...]

    @property
    def period(self) -> str:
        """Return the settlement period that it belongs to: the hour's day."""
        return self.hour.partition("T")[0]


@dataclass(frozen=True, slots=True)
class ToldTotal:
    """An hourly total as it is kept: `body` are the bytes that its author wrote."""

    total: HourlyTotal
    audience: PlatformId
    body: bytes
    leaf_hash: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PlatformDispute:
    """A record on which two platforms do not agree: what is wrong with it, as codes, until people have settled it."""

    id: UUID
    platform_id: PlatformId
    home_id: PlatformId
    serving_id: PlatformId
    period: str
    codes: tuple[str, ...]
    currency: str
    amount_nano: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NetPosition:
    """What `debtor` owes `creditor` for one period in one currency after both directions; `is_final` once both are signed for."""

    period: str
    creditor: PlatformId
    debtor: PlatformId
    currency: str
    amount_nano: int
    is_final: bool


def name_hour(instant: datetime) -> str:
    """Return the hour that an instant is in, as totals name it."""
    return instant.strftime("%Y-%m-%dT%H")


def find_hour(hour: str) -> datetime:
    """Return when an hour begins; raises ValueError for what names none."""
    return datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC)


def check_move(before: SettlementState, after: SettlementState) -> None:
    """Raise StateConflict unless a settlement may go from one state to another."""
    if after not in NEXT_STATES[before]:
        raise StateConflict(f"a settlement that is {before} cannot become {after}")


def is_settled(settlement: Settlement) -> bool:
    """Tell whether both sides have signed: only then need its letters not be kept any more."""
    return settlement.state is SettlementState.COUNTERSIGNED


def list_settled(settlements: list[Settlement]) -> list[SettledPeriod]:
    """Return the periods whose letters may be dropped from logs."""
    return [SettledPeriod(each.author, each.audience, each.period) for each in settlements if is_settled(each)]
