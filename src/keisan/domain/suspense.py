"""Suspense: usage records that it paid for in place of a wallet, and what a person judges of each, once."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.ids import EntryId, KeyId, OrganizationId, PlatformId, RecordId, TicketId


class SuspenseState(StrEnum):
    """Suspended until a person has judged; then for good."""

    SUSPENDED = "suspended"
    CHARGED = "charged"
    WRITTEN_OFF = "written_off"


SUSPENSE_TRANSITIONS: dict[SuspenseState, frozenset[SuspenseState]] = {
    SuspenseState.SUSPENDED: frozenset({SuspenseState.CHARGED, SuspenseState.WRITTEN_OFF}),
    SuspenseState.CHARGED: frozenset(),
    SuspenseState.WRITTEN_OFF: frozenset(),
}


class SuspenseVerdict(StrEnum):
    """Who bears what suspense paid: the record's organization, or the platform."""

    CHARGE = "charge"
    WRITE_OFF = "write_off"


class SuspenseOutcome(StrEnum):
    """What came of a judgement; only the first two move money.

    `insufficient_credit`: the wallet of a prepaid organization has less than the amount that no ticket holds.
    `closed_day`: the record may have left the database, and could be on no statement any more; it can be written off.
    """

    CHARGED = "charged"
    WRITTEN_OFF = "written_off"
    ALREADY_JUDGED = "already_judged"
    INSUFFICIENT_CREDIT = "insufficient_credit"
    CLOSED_DAY = "closed_day"


@dataclass(frozen=True, slots=True)
class SuspendedRecord:
    """A usage record that suspense paid for in place of its organization's wallet, and why: the platform's risk (R1).

    Once judged, by the key `judged_by`, the amount was paid back to suspense in the journal's entry `entry_id`, of number
    `entry_sequence`. `note` says why, for people.
    """

    record_id: RecordId
    day: date
    platform_id: PlatformId
    organization_id: OrganizationId
    ticket_id: TicketId | None
    currency: str
    amount_nano: int
    code: str
    created_at: datetime
    state: SuspenseState = SuspenseState.SUSPENDED
    note: str = ""
    judged_by: KeyId | None = None
    judged_at: datetime | None = None
    entry_id: EntryId | None = None
    entry_sequence: int | None = None

    @property
    def account(self) -> AccountKey:
        """Return the account that paid."""
        return AccountKey(AccountKind.SUSPENSE, None, None, self.currency)
