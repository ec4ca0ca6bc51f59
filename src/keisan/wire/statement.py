"""Statements on the wire: what a holder spent or earned in a month, and the signed document of a closed one."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.domain.closing import Closing, ClosingState
from keisan.domain.price import TokenClass
from keisan.domain.statement import (
    Adjustment,
    CloseOutcome,
    HolderKind,
    Statement,
    StatementContent,
    StatementLine,
    StatementState,
    name_period,
)
from keisan.domain.statement_draft import StatementDraft
from keisan.wire.base import Currency, NanoText, WireInput, WireView

PeriodText = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]


class StatementClose(WireInput):
    """Close a month such as 2026-11: of everybody, or of one holder."""

    period: PeriodText
    holder_id: UUID | None = None


class DraftView(WireView):
    """The statement that a closing is at: summed through a day, then `sealed_count` of its `record_count` records sealed."""

    holder_kind: HolderKind
    holder_id: UUID
    currency: str
    summed_through: date | None
    record_count: int
    sealed_count: int


class ClosingView(WireView):
    """A closing of a month, of everybody or of one holder: asked for, and closing until it is done.

    `counts` says how many holders came to which outcome by now.
    """

    id: UUID
    period: str
    holder_id: UUID | None
    asked_by: str
    created_at: datetime
    state: ClosingState
    counts: dict[CloseOutcome, int]
    draft: DraftView | None
    ended_at: datetime | None


class PreviewQuery(WireInput):
    """Whose open statement: in one currency, of this month unless another one is named."""

    holder_kind: HolderKind
    holder_id: UUID
    currency: Currency
    period: PeriodText | None = None


class StatementView(WireView):
    """A statement's head. Of an open one `id`, root, digest and `closed_at` are null, for it can still change.

    `amount_nano` is what a customer paid, `tax_nano` of it being tax, or what a provider is paid; `adjustment_nano` what
    disputes gave the holder since the statement before. Balances are those of the wallet or payable when the statement
    before was closed, and as of entry `entry_sequence`. One record is one call.
    """

    id: UUID | None
    platform_id: str
    holder_kind: HolderKind
    holder_id: UUID
    currency: str
    first_day: date
    last_day: date
    state: StatementState
    record_count: int
    amount_nano: NanoText
    tax_nano: NanoText
    adjustment_nano: NanoText
    opening_balance_nano: NanoText
    closing_balance_nano: NanoText
    entry_sequence: int
    records_root: str | None
    document_sha256: str | None
    closed_at: datetime | None


class StatementLineView(WireView):
    """A sum of records: a customer's by project, key, model and price, a provider's by site, chip and model.

    `amount_nano` is the sum of the records' amounts, each rounded once: `nano_per_million` stands beside it. `is_late`:
    these records are of earlier months, and came, or were charged, after those were closed.
    """

    project_id: UUID | None
    project_name: str
    key_id: UUID | None
    key_name: str
    site_id: UUID | None
    site_name: str
    chip: str | None
    model_id: UUID
    model_name: str
    price_id: UUID | None
    price_version: int | None
    nano_per_million: dict[TokenClass, NanoText] | None
    is_late: bool
    record_count: int
    quantities: dict[TokenClass, int]
    amount_nano: NanoText
    tax_nano: NanoText


class AdjustmentView(WireView):
    """What a dispute of an earlier statement gave the holder."""

    dispute_id: UUID
    statement_id: UUID
    amount_nano: NanoText
    resolution: str
    resolved_at: datetime


class StatementDetail(StatementView):
    """A statement with its lines."""

    holder_name: str
    lines: tuple[StatementLineView, ...]
    adjustments: tuple[AdjustmentView, ...]


class SignedStatement(WireView):
    """A closed statement as it was signed: `document` is canonical JSON, its bytes are ASCII.

    `signature` is of these bytes, by the platform's Ed25519 key `public_key`, whose SHA-256 is the platform's id; in hex.
    """

    document: str
    document_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class StatementRecordView(WireView):
    """One record of a statement: `leaf` is the text whose hash stands in the tree under `records_root`."""

    id: UUID
    leaf: str


def show_closing(closing: Closing) -> ClosingView:
    """Return a closing as the API shows it."""
    return ClosingView(
        id=closing.id,
        period=name_period(closing.period),
        holder_id=closing.holder_id,
        asked_by=closing.asked_by,
        created_at=closing.created_at,
        state=closing.state,
        counts=dict(closing.counts),
        draft=None if closing.draft is None else _show_draft(closing.draft),
        ended_at=closing.ended_at,
    )


def show_statement(statement: Statement) -> StatementView:
    """Return a closed statement's head as the API shows it."""
    return StatementView(
        id=statement.id,
        platform_id=statement.platform_id,
        holder_kind=statement.holder.kind,
        holder_id=statement.holder.id,
        currency=statement.holder.currency,
        first_day=statement.period.first_day,
        last_day=statement.period.last_day,
        state=statement.state,
        record_count=statement.totals.record_count,
        amount_nano=statement.totals.amount_nano,
        tax_nano=statement.totals.tax_nano,
        adjustment_nano=statement.totals.adjustment_nano,
        opening_balance_nano=statement.balances.opening_nano,
        closing_balance_nano=statement.balances.closing_nano,
        entry_sequence=statement.entry_sequence,
        records_root=statement.records_root,
        document_sha256=statement.document_sha256,
        closed_at=statement.closed_at,
    )


def show_content(content: StatementContent, document_sha256: str | None) -> StatementDetail:
    """Return all of a statement as the API shows it."""
    return StatementDetail(
        id=content.id,
        platform_id=content.platform_id,
        holder_kind=content.holder.kind,
        holder_id=content.holder.id,
        currency=content.holder.currency,
        first_day=content.period.first_day,
        last_day=content.period.last_day,
        state=StatementState.OPEN if content.closed_at is None else StatementState.CLOSED,
        record_count=content.totals.record_count,
        amount_nano=content.totals.amount_nano,
        tax_nano=content.totals.tax_nano,
        adjustment_nano=content.totals.adjustment_nano,
        opening_balance_nano=content.balances.opening_nano,
        closing_balance_nano=content.balances.closing_nano,
        entry_sequence=content.entry_sequence,
        records_root=content.records_root,
        document_sha256=document_sha256,
        closed_at=content.closed_at,
        holder_name=content.holder_name,
        lines=tuple(_show_line(line) for line in content.lines),
        adjustments=tuple(_show_adjustment(line) for line in content.adjustments),
    )


def _show_draft(draft: StatementDraft) -> DraftView:
    holder = draft.content.holder
    return DraftView(
        holder_kind=holder.kind,
        holder_id=holder.id,
        currency=holder.currency,
        summed_through=draft.summed_through,
        record_count=draft.content.totals.record_count,
        sealed_count=draft.seal.record_count,
    )


def _show_line(line: StatementLine) -> StatementLineView:
    own = line.sum
    return StatementLineView(
        project_id=own.project_id,
        project_name=line.project_name,
        key_id=own.key_id,
        key_name=line.key_name,
        site_id=own.site_id,
        site_name=line.site_name,
        chip=own.chip,
        model_id=own.model_id,
        model_name=line.model_name,
        price_id=own.price_id,
        price_version=line.price_version,
        nano_per_million=None if line.nano_per_million is None else dict(line.nano_per_million),
        is_late=own.is_late,
        record_count=own.record_count,
        quantities=dict(own.quantities),
        amount_nano=own.amount_nano,
        tax_nano=own.tax_nano,
    )


def _show_adjustment(line: Adjustment) -> AdjustmentView:
    return AdjustmentView.model_validate(line)
