"""A payout: what a provider was paid outside for one closed statement."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import EntryId, PayoutId, PlatformId, ProviderId, StatementId


class PayoutOutcome(StrEnum):
    """The platform's answer to a payout: only `created` moves money.

    `amount_mismatch`: the statement says another amount. `insufficient_credit`: the payable holds less than that.
    """

    CREATED = "created"
    EXISTS = "exists"
    EXISTS_WITH_DIFFERENT_AMOUNT = "exists_with_different_amount"
    NOT_A_PROVIDER = "not_a_provider"
    NOTHING_DUE = "nothing_due"
    AMOUNT_MISMATCH = "amount_mismatch"
    INSUFFICIENT_CREDIT = "insufficient_credit"


@dataclass(frozen=True, slots=True)
class Payout:
    """`entry_id` is the journal entry that moved `amount_nano` from the provider's payable to outside; one per statement."""

    id: PayoutId
    platform_id: PlatformId
    statement_id: StatementId
    provider_id: ProviderId
    currency: str
    amount_nano: int
    note: str
    entry_id: EntryId
    created_at: datetime
