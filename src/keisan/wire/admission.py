"""Admissions and platform tickets on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.domain.platform_ticket import CreditSide, PlatformTicketState
from keisan.wire.base import AMOUNT_NANO_MAX, Currency, NanoText, WireInput, WireView
from keisan.wire.policy import PolicyText


class AdmissionCreate(WireInput):
    """Where an organization may call too: `policy` narrows its own, `credit_nano_max` bounds what is leased there at a time.

    `credit_nano_max` is at the other platform's prices; an organization that pays afterwards needs it.
    """

    organization_id: UUID
    platform_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    currency: Currency
    policy: PolicyText = ""
    credit_nano_max: Annotated[NanoText, Field(ge=1, le=AMOUNT_NANO_MAX)] | None = None


class AdmissionView(WireView):
    """An admission; `counterparty_id` is the platform where it holds."""

    id: UUID
    platform_id: str
    organization_id: UUID
    counterparty_id: str
    currency: str
    policy: str
    credit_nano_max: NanoText | None
    version: int
    created_at: datetime
    ended_at: datetime | None


class PlatformTicketView(WireView):
    """Credit leased to another platform (`home`) or by one (`serving`), at the wholesale price, amounts as decimal strings.

    `left_nano` is what the serving platform can still spend, also when it is cut off, and `aside_nano` what home sets aside for it of
    the customer's money. `expires_at` is when the serving platform stops by itself, `free_at` when home has back what was not
    returned by then.
    """

    id: UUID
    platform_id: str
    counterparty_id: str
    side: CreditSide
    organization_id: UUID
    currency: str
    state: PlatformTicketState
    ceiling_nano: NanoText
    returned_nano: NanoText
    spent_nano: NanoText
    waiting_nano: NanoText
    charged_nano: NanoText
    left_nano: NanoText
    aside_nano: NanoText
    expires_at: datetime
    free_at: datetime
    heard_at: datetime
    created_at: datetime
    closed_at: datetime | None
