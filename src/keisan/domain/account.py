"""Ledger accounts and postings: double entry, append-only, integers of nano-units in one currency.

A posting moves a positive amount from its debit account to its credit account, so the sum over all accounts is zero.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import AccountId, EntryId, OrganizationId, PlatformId, ProviderId


class AccountKind(StrEnum):
    """Whose money an account counts. A wallet falls as its organization spends.

    Outside is where money comes from: it falls as wallets are filled, so that all accounts together are zero.
    Tax is what the platform owes the state of what it was paid. What another platform served for an organization of this one is
    payable to it; what this one served for organizations of another is receivable from that, and falls as it is served.
    """

    WALLET = "wallet"
    PROVIDER_PAYABLE = "provider_payable"
    PLATFORM_REVENUE = "platform_revenue"
    TAX = "tax"
    SUSPENSE = "suspense"
    OUTSIDE = "outside"
    PLATFORM_PAYABLE = "platform_payable"
    PLATFORM_RECEIVABLE = "platform_receivable"


@dataclass(frozen=True, slots=True)
class Account:
    """`balance_nano` = credits - debits. A wallet names its organization, a provider's payable that provider.

    `counterparty_id` is the other platform of what is payable or receivable between platforms.
    """

    id: AccountId
    platform_id: PlatformId
    kind: AccountKind
    organization_id: OrganizationId | None
    provider_id: ProviderId | None
    currency: str
    balance_nano: int
    created_at: datetime
    counterparty_id: PlatformId | None = None

    @property
    def key(self) -> "AccountKey":
        """Return what makes it one."""
        return AccountKey(self.kind, self.organization_id, self.provider_id, self.currency, self.counterparty_id)


@dataclass(frozen=True, slots=True)
class BalanceMove:
    """What postings did to a balance. `floor_nano` is what the holder is told below; None for whoever is told of nothing."""

    account_id: AccountId
    kind: AccountKind
    organization_id: OrganizationId | None
    currency: str
    before_nano: int
    after_nano: int
    floor_nano: int | None


@dataclass(frozen=True, slots=True)
class AccountKey:
    """What makes an account one: kind, owner, currency, and for accounts between platforms the other one."""

    kind: AccountKind
    organization_id: OrganizationId | None
    provider_id: ProviderId | None
    currency: str
    counterparty_id: PlatformId | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that moves from one account to another for `record_count` records; `amount_nano` > 0."""

    debit: AccountKey
    credit: AccountKey
    amount_nano: int
    record_count: int = 0


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of a journal entry: one per (entry, account pair) (R12); `amount_nano` > 0."""

    entry_id: EntryId
    debit_account_id: AccountId
    credit_account_id: AccountId
    currency: str
    amount_nano: int
    record_count: int
    created_at: datetime
