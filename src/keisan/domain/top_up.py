"""A top-up: money from outside, put into an organization's wallet by the platform's people."""

from dataclasses import dataclass
from datetime import datetime

from keisan.domain.ids import EntryId, OrganizationId, PlatformId


@dataclass(frozen=True, slots=True)
class TopUp:
    """`id` is that of its journal entry; `balance_nano` the wallet's balance after it; `note` why, for people."""

    id: EntryId
    platform_id: PlatformId
    organization_id: OrganizationId
    currency: str
    amount_nano: int
    note: str
    balance_nano: int
    created_at: datetime
