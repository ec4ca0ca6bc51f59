"""A top-up: money from outside, put into an organization's wallet by the platform's people."""

from dataclasses import dataclass
from datetime import datetime

from keisan.domain.ids import OrganizationId, PlatformId, PostingBatchId


@dataclass(frozen=True, slots=True)
class TopUp:
    """`id` is that of the batch it was posted in; `balance_nano` the wallet's balance after it; `note` why, for people."""

    id: PostingBatchId
    platform_id: PlatformId
    organization_id: OrganizationId
    currency: str
    amount_nano: int
    note: str
    balance_nano: int
    created_at: datetime
