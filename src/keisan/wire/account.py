"""Accounts on the wire."""

from datetime import datetime
from uuid import UUID

from keisan.domain.account import AccountKind
from keisan.wire.base import NanoText, WireView


class AccountView(WireView):
    """An account as the API shows it; `balance_nano` = credits - debits, a decimal string.

    `counterparty_id` is the other platform of what is payable or receivable between platforms.
    """

    id: UUID
    platform_id: str
    kind: AccountKind
    organization_id: UUID | None
    provider_id: UUID | None
    currency: str
    balance_nano: NanoText
    created_at: datetime
    counterparty_id: str | None = None
