"""A platform ticket: credit of an organization, leased by its home platform to another one that serves its calls.

Both platforms keep it: home sets the credit aside, the serving one leases its gateways no more than it. Nothing of it is free
again but by the serving platform's signed return, or after its lease, the skew of clocks and the window for late records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.holder import Holder
from keisan.domain.ids import EntryId, ModelId, OrganizationId, PlatformId, PriceId, RecordId, TicketId
from keisan.domain.limits import PLATFORM_LATENESS_S, PLATFORM_LEASE_S, PLATFORM_SKEW_S
from keisan.domain.price import TokenClass


class CreditSide(StrEnum):
    """On which end of a platform ticket this platform is: it leases credit of its organization, or serves on another's."""

    HOME = "home"
    SERVING = "serving"


class PlatformTicketState(StrEnum):
    """A ticket that is returning leases nothing any more; a closed one holds nothing, and is not opened again."""

    OPEN = "open"
    RETURNING = "returning"
    CLOSED = "closed"


PLATFORM_TICKET_TRANSITIONS: dict[PlatformTicketState, frozenset[PlatformTicketState]] = {
    PlatformTicketState.OPEN: frozenset({PlatformTicketState.RETURNING, PlatformTicketState.CLOSED}),
    PlatformTicketState.RETURNING: frozenset({PlatformTicketState.CLOSED}),
    PlatformTicketState.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class PinnedPrice:
    """A version of the serving platform's prices of one model, and what home takes for the same: both hold for a whole ticket.

    `model` is the name that both know it by, `model_id` and `price_id` are the serving platform's. Home tells nobody its own
    prices: at the serving platform there are none.
    """

    model_id: ModelId
    model: str
    price_id: PriceId
    nano_per_million: Mapping[TokenClass, int]
    home_nano_per_million: Mapping[TokenClass, int] | None = None


@dataclass(frozen=True, slots=True)
class PlatformTicket:
    """`platform_id` is this platform's, `counterparty_id` the other one's; the ticket's `id` is home's.

    Amounts are at the wholesale price, in nano-units of `currency`, but for `charged_nano`. `ceiling_nano` is all that was ever
    leased, `returned_nano` what came back by signed return, `spent_nano` what was posted: these only grow. `waiting_nano` is of
    records that home alone has made. `charged_nano` is what the customer paid for what was spent, at home's price; of each nano-unit
    of the ceiling home sets `rate_ppm` millionths aside. `epoch` is the link's; `number` rises with each lease that is told.
    `expires_at` is when the serving platform stops, reckoned by each from its own clock; `heard_at` when home last heard of it, and
    when the serving platform last spoke.
    """

    id: TicketId
    platform_id: PlatformId
    counterparty_id: PlatformId
    side: CreditSide
    organization_id: OrganizationId
    currency: str
    state: PlatformTicketState
    policy: str
    prices: Sequence[PinnedPrice]
    rate_ppm: int
    epoch: int
    number: int
    ceiling_nano: int
    returned_nano: int
    spent_nano: int
    waiting_nano: int
    charged_nano: int
    lease_s: int
    expires_at: datetime
    heard_at: datetime
    created_at: datetime
    closed_at: datetime | None = None

    @property
    def holder(self) -> Holder:
        """Return for whom it was leased."""
        return Holder(self.organization_id)

    @property
    def left_nano(self) -> int:
        """Return what may still be posted, at the wholesale price: nothing of a closed one."""
        is_closed = self.state is PlatformTicketState.CLOSED
        return 0 if is_closed else self.ceiling_nano - self.returned_nano - self.spent_nano


class CrossChargeState(StrEnum):
    """What became of a call that crossed platforms, in the books of one of them.

    A waiting one is home's own word alone; it is posted by the serving platform's, or voided when the window closes. What comes
    too late, or beyond its ticket, is suspended: at the serving platform's risk, and never the customer's.
    """

    WAITING = "waiting"
    POSTED = "posted"
    SUSPENDED = "suspended"
    VOIDED = "voided"


class CrossChargeCode(StrEnum):
    """Why a record is suspended."""

    NONE = ""
    UNKNOWN_TICKET = "unknown_ticket"
    WRONG_TICKET = "wrong_ticket"
    CLOSED_TICKET = "closed_ticket"
    SPENT_TICKET = "spent_ticket"
    UNPRICED_MODEL = "unpriced_model"
    LATE = "late"
    REVOKED_PLATFORM = "revoked_platform"
    # Both ends do not agree on it, or its settlement may not take it: a person judges.
    DISPUTED = "disputed"
    HELD = "held"


CROSS_CHARGE_TRANSITIONS: dict[CrossChargeState, frozenset[CrossChargeState]] = {
    CrossChargeState.WAITING: frozenset({CrossChargeState.POSTED, CrossChargeState.SUSPENDED, CrossChargeState.VOIDED}),
    CrossChargeState.POSTED: frozenset(),
    # After home's record was voided nothing is the customer's any more.
    CrossChargeState.VOIDED: frozenset(),
    CrossChargeState.SUSPENDED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class CrossCharge:
    """What one record of a call across platforms moved, once: `wholesale_nano` between platforms, `charged_nano` from the customer.

    Of the latter `tax_nano` was tax, and the rest the revenue of its home; at the serving platform both are 0.
    `entry_id` is the journal entry of what is posted. `ticket_id` may name a ticket that there is not.
    """

    record_id: RecordId
    ticket_id: TicketId
    platform_id: PlatformId
    counterparty_id: PlatformId
    organization_id: OrganizationId
    currency: str
    state: CrossChargeState
    code: CrossChargeCode
    wholesale_nano: int
    charged_nano: int
    tax_nano: int
    admitted_at: datetime
    created_at: datetime
    entry_id: EntryId | None = None


@dataclass(frozen=True, slots=True)
class PlatformCreditTerms:
    """For how long credit is leased to platforms, and how late their records may come, in seconds.

    `skew_s` is by how much clocks may differ beyond what a link has measured. The serving platform speaks every `word_s`, and
    sooner when it lacks credit, but not within `hurry_s`.
    """

    lease_s: int = PLATFORM_LEASE_S
    lateness_s: int = PLATFORM_LATENESS_S
    skew_s: int = PLATFORM_SKEW_S
    word_s: int = PLATFORM_LEASE_S // 16
    hurry_s: int = 60
