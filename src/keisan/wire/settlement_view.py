"""Settlements with other platforms as the API shows them: to people of the platform, not to platforms."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.domain.cross_record import CrossState, RecordEnd
from keisan.domain.settlement import NetPosition, PlatformDispute, Settlement, SettlementState
from keisan.wire.base import Amounts, Count, NanoText, WireInput, WireView
from keisan.wire.settlement_text import read_countersignature, read_period_end

PeriodText = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class CrossSumOf(Protocol):
    """What records of one end and state come to, in one currency."""

    @property
    def end(self) -> RecordEnd: ...
    @property
    def state(self) -> CrossState: ...
    @property
    def currency(self) -> str: ...
    @property
    def record_count(self) -> int: ...
    @property
    def amount_nano(self) -> int: ...


class PositionQuery(WireInput):
    """Of which period: a day, in UTC."""

    period: PeriodText


class SettlementView(WireView):
    """One author's word to one audience on one period; what it says stands once it has ended the period.

    `settled_nano` and `held_nano` are what the audience has signed for: what it owes, and what it holds back.
    """

    id: UUID
    author: str
    audience: str
    period: str
    state: SettlementState
    revision: Count
    record_count: Count | None
    total_count: Count | None
    leaves_root: str | None
    receivable_nano: Amounts
    settled_nano: Amounts
    held_nano: Amounts
    version: Count
    created_at: datetime
    ended_at: datetime | None
    countersigned_at: datetime | None


class CrossSumView(WireView):
    """What records of one end and state come to, in one currency, by what is here."""

    end: RecordEnd
    state: CrossState
    currency: str
    record_count: Count
    amount_nano: NanoText


class SettlementDetailView(SettlementView):
    """A settlement with its sums, and the texts that were signed."""

    sums: tuple[CrossSumView, ...]
    statement: str | None
    countersignature: str | None


class NetPositionView(WireView):
    """What one platform owes another for a period, in one currency; `is_final` once both directions are signed for."""

    period: str
    creditor: str
    debtor: str
    currency: str
    amount_nano: NanoText
    is_final: bool


class PositionsView(WireView):
    """Who owes whom for a period."""

    positions: Annotated[tuple[NetPositionView, ...], Field(default=())]


class PlatformDisputeView(WireView):
    """A record on which two platforms do not agree, and what is wrong with it."""

    id: UUID
    home_id: str
    serving_id: str
    period: str
    codes: tuple[str, ...]
    currency: str
    amount_nano: NanoText
    created_at: datetime


def show_settlement(settlement: Settlement) -> SettlementView:
    """Return a settlement as the API shows it."""
    return SettlementView(**_show(settlement))


def show_detail(settlement: Settlement, sums: Sequence[CrossSumOf]) -> SettlementDetailView:
    """Return a settlement with its sums."""
    statement, countersignature = settlement.statement, settlement.countersignature
    return SettlementDetailView(
        **_show(settlement),
        sums=tuple(CrossSumView.model_validate(each) for each in sums),
        statement=None if statement is None else statement.content.decode(),
        countersignature=None if countersignature is None else countersignature.content.decode(),
    )


def show_position(position: NetPosition) -> NetPositionView:
    """Return a net position."""
    return NetPositionView.model_validate(position)


def show_platform_dispute(dispute: PlatformDispute) -> PlatformDisputeView:
    """Return a dispute between platforms."""
    return PlatformDisputeView.model_validate(dispute)


def _show(settlement: Settlement) -> dict[str, Any]:
    plain = ("id", "author", "audience", "period", "state", "revision", "version", "created_at", "ended_at")
    told = None if settlement.statement is None else read_period_end(settlement.statement.content)
    signed = settlement.countersignature
    closed = None if signed is None else read_countersignature(signed.content)
    return {name: getattr(settlement, name) for name in (*plain, "countersigned_at")} | {
        "record_count": None if told is None else told.record_count,
        "total_count": None if told is None else told.total_count,
        "leaves_root": None if told is None else told.leaves_root,
        "receivable_nano": {} if told is None else dict(told.receivable_nano),
        "settled_nano": {} if closed is None else dict(closed.settled_nano),
        "held_nano": {} if closed is None else dict(closed.held_nano),
    }
