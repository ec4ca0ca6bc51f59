"""Disputes on the wire: opened by a statement's holder, resolved by the platform."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.domain.dispute import Dispute, DisputeState
from keisan.domain.limits import DISPUTE_RECORDS_MAX, DISPUTE_TEXT_CHARACTERS_MAX
from keisan.domain.statement import HolderKind
from keisan.wire.base import NanoText, WireInput, WireView
from keisan.wire.top_up import TOP_UP_NANO_MAX

DisputeText = Annotated[
    str, StringConstraints(min_length=1, max_length=DISPUTE_TEXT_CHARACTERS_MAX, pattern=r"^[^\x00]*$")
]


class DisputeVerdict(StrEnum):
    """How a dispute may end."""

    REJECTED = "rejected"
    UPHELD = "upheld"


class DisputeCreate(WireInput):
    """Why a statement is wrong, and which of its records are meant, if not all."""

    reason: DisputeText
    record_ids: Annotated[tuple[UUID, ...], Field(max_length=DISPUTE_RECORDS_MAX)] = ()


class DisputeResolve(WireInput):
    """The platform's answer: a text for the holder, and the amount that moves to it if the dispute is upheld."""

    verdict: DisputeVerdict
    resolution: DisputeText
    amount_nano: Annotated[NanoText, Field(ge=1, le=TOP_UP_NANO_MAX)] | None = None


class DisputeView(WireView):
    """A dispute; once upheld, `amount_nano` was moved to its holder in entry `entry_id`."""

    id: UUID
    platform_id: str
    statement_id: UUID
    holder_kind: HolderKind
    holder_id: UUID
    currency: str
    reason: str
    record_ids: tuple[UUID, ...]
    state: DisputeState
    resolution: str
    amount_nano: NanoText | None
    entry_id: UUID | None
    version: int
    created_at: datetime
    resolved_at: datetime | None


def show_dispute(dispute: Dispute) -> DisputeView:
    """Return a dispute as the API shows it."""
    names = DisputeView.model_fields.keys() - {"holder_kind", "holder_id", "currency"}
    own = {name: getattr(dispute, name) for name in names}
    holder = dispute.holder
    return DisputeView(holder_kind=holder.kind, holder_id=holder.id, currency=holder.currency, **own)
