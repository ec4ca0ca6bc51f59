"""Platform tickets, admissions and charges of calls across platforms, as tests need them."""

from datetime import timedelta
from typing import Any

from keisan.domain.admission import Admission
from keisan.domain.ids import AdmissionId, ModelId, OrganizationId, PlatformId, PriceId, TicketId
from keisan.domain.limits import PLATFORM_LEASE_S
from keisan.domain.platform_ticket import (
    CreditSide,
    CrossCharge,
    CrossChargeCode,
    CrossChargeState,
    PinnedPrice,
    PlatformTicket,
    PlatformTicketState,
)
from keisan.domain.price import TokenClass
from keisan.kit.ids import create_id
from tests.domain.samples import create_record_id
from tests.factories import NOW, PLATFORM_ID

OTHER_ID = PlatformId("ab" * 32)
PINNED = PinnedPrice(
    model_id=ModelId(create_id()),
    model="small",
    price_id=PriceId(create_id()),
    nano_per_million={TokenClass.INPUT: 10**9, TokenClass.OUTPUT: 2 * 10**9},
    home_nano_per_million={TokenClass.INPUT: 2 * 10**9, TokenClass.OUTPUT: 3 * 10**9},
)


def create_platform_ticket(organization_id: OrganizationId, **changes: Any) -> PlatformTicket:
    """Return an open ticket that this platform leased to another."""
    facts: dict[str, Any] = {
        "id": TicketId(create_id()),
        "platform_id": PLATFORM_ID,
        "counterparty_id": OTHER_ID,
        "side": CreditSide.HOME,
        "organization_id": organization_id,
        "currency": "CNY",
        "state": PlatformTicketState.OPEN,
        "policy": "",
        "prices": (PINNED,),
        "rate_ppm": 2_000_000,
        "epoch": 1,
        "number": 1,
        "ceiling_nano": 10**12,
        "returned_nano": 0,
        "spent_nano": 0,
        "waiting_nano": 0,
        "charged_nano": 0,
        "lease_s": PLATFORM_LEASE_S,
        "expires_at": NOW + timedelta(seconds=PLATFORM_LEASE_S),
        "heard_at": NOW,
        "created_at": NOW,
        "closed_at": None,
    }
    return PlatformTicket(**(facts | changes))


def create_cross_charge(ticket: PlatformTicket, **changes: Any) -> CrossCharge:
    """Return what a record of a call moved that a ticket was named for."""
    facts: dict[str, Any] = {
        "record_id": create_record_id(NOW),
        "ticket_id": ticket.id,
        "platform_id": ticket.platform_id,
        "counterparty_id": ticket.counterparty_id,
        "organization_id": ticket.organization_id,
        "currency": ticket.currency,
        "state": CrossChargeState.POSTED,
        "code": CrossChargeCode.NONE,
        "wholesale_nano": 10**30 + 1,
        "charged_nano": 2 * 10**30,
        "tax_nano": 10**29,
        "admitted_at": NOW,
        "created_at": NOW,
        "entry_id": None,
    }
    return CrossCharge(**(facts | changes))


def create_admission(organization_id: OrganizationId, **changes: Any) -> Admission:
    """Return an admission in force."""
    facts: dict[str, Any] = {
        "id": AdmissionId(create_id()),
        "platform_id": PLATFORM_ID,
        "organization_id": organization_id,
        "counterparty_id": OTHER_ID,
        "currency": "CNY",
        "policy": "",
        "credit_nano_max": None,
        "version": 1,
        "created_at": NOW,
        "ended_at": None,
    }
    return Admission(**(facts | changes))
