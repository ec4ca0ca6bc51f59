"""Ledger accounts and postings: double entry, append-only, integers of nano-units in one currency.

A posting moves a positive amount from its debit account to its credit account, so the sum over all accounts is zero.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import AccountId, OrganizationId, PlatformId, PostingBatchId, ProviderId


class AccountKind(StrEnum):
    """Whose money an account counts. A wallet falls as its organization spends.

    Outside is where money comes from: it falls as wallets are filled, so that all accounts together are zero.
    """

    WALLET = "wallet"
    PROVIDER_PAYABLE = "provider_payable"
    PLATFORM_REVENUE = "platform_revenue"
    SUSPENSE = "suspense"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Account:
    """`balance_nano` = credits - debits. A wallet names its organization, a payable its provider."""

    id: AccountId
    platform_id: PlatformId
    kind: AccountKind
    organization_id: OrganizationId | None
    provider_id: ProviderId | None
    currency: str
    balance_nano: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry of the journal: one per (batch, account pair) (R12); `amount_nano` > 0."""

    batch_id: PostingBatchId
    debit_account_id: AccountId
    credit_account_id: AccountId
    currency: str
    amount_nano: int
    record_count: int
    created_at: datetime
