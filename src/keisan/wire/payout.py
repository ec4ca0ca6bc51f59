"""Payouts on the wire: what a provider was paid outside for a closed statement."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.payout import PayoutOutcome
from keisan.wire.base import NanoText, WireInput, WireView
from keisan.wire.top_up import TOP_UP_NANO_MAX, Note


class PayoutCreate(WireInput):
    """Pay what a statement says; whoever names an amount pays that one or nothing. `note` is for people."""

    amount_nano: Annotated[NanoText, Field(ge=1, le=TOP_UP_NANO_MAX)] | None = None
    note: Note = ""


class PayoutView(WireView):
    """A payout that was posted, in entry `entry_id`."""

    id: UUID
    platform_id: str
    statement_id: UUID
    provider_id: UUID
    currency: str
    amount_nano: NanoText
    note: str
    entry_id: UUID
    created_at: datetime


class PayoutAnswer(WireView):
    """What came of a payout, and the statement's payout if there is one now; `payable_nano` is what the payable holds."""

    outcome: PayoutOutcome
    payout: PayoutView | None
    payable_nano: NanoText
