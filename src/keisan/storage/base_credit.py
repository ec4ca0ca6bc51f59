"""The storage contract for credit between platforms: admissions, platform tickets, and what their records moved.

Kept apart from base_ledger.py for its length only. A transaction locks accounts first, platform tickets after, then the
tickets of gateways, and budgets last, or waits in a ring.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.admission import Admission
from keisan.domain.ids import AdmissionId, EntryId, OrganizationId, PlatformId, RecordId, TicketId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.platform_ticket import CrossCharge, PlatformTicket
from keisan.storage.base_noun import Repository


class AdmissionRepository(Repository[Admission, AdmissionId], Protocol):
    """Where organizations of this platform are admitted; an organization sees its own. One in force for each platform."""

    async def find(
        self, scope: Scope, organization_id: OrganizationId, counterparty_id: PlatformId
    ) -> Admission | None:
        """Return the one that was made last, ended or not; None if there was never one."""
        ...

    async def list_in_force(self, scope: Scope, organization_id: OrganizationId) -> Sequence[Admission]: ...


class PlatformTicketRepository(Protocol):
    """Platform tickets of both sides; an organization sees its own."""

    async def get(self, scope: Scope, ticket_id: TicketId) -> PlatformTicket: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[PlatformTicket]: ...
    async def insert(self, ticket: PlatformTicket) -> None: ...
    async def find_many(self, scope: Scope, ids: Iterable[TicketId]) -> Mapping[TicketId, PlatformTicket]:
        """Return those that there are, closed ones too."""
        ...

    async def list_open(self, scope: Scope, organization_ids: Iterable[OrganizationId]) -> Sequence[PlatformTicket]:
        """Return those of these organizations that are not closed, in order of id."""
        ...

    async def list_in_force(self, scope: Scope) -> Sequence[PlatformTicket]:
        """Return all that are open, and not returning, in order of id."""
        ...

    async def lock(self, ids: Iterable[TicketId]) -> Mapping[TicketId, PlatformTicket]:
        """Return those that there are, closed ones too, locked until commit in order of id."""
        ...

    async def lock_open(self, wallets: Iterable[tuple[OrganizationId, str]]) -> Mapping[TicketId, PlatformTicket]:
        """Return those on wallets (owner and currency) that are not closed, locked as `lock` does.

        Whoever holds the lock of a wallet's account sees all that are open on it, for nobody opens one without.
        """
        ...

    async def update_many(self, tickets: Sequence[PlatformTicket]) -> None:
        """Write tickets that this transaction has locked."""
        ...


class CrossChargeRepository(Protocol):
    """What records of calls across platforms moved, by record; an organization sees its own."""

    async def find_many(self, scope: Scope, record_ids: Iterable[RecordId]) -> Mapping[RecordId, CrossCharge]: ...
    async def list_entries(self, scope: Scope, entry_ids: Sequence[EntryId]) -> Sequence[CrossCharge]:
        """Return those that were posted in these journal entries, in order of record."""
        ...

    async def list_ticket(self, scope: Scope, ticket_id: TicketId, page: PageRequest) -> PageOf[CrossCharge]:
        """Return a page of what a platform ticket was named for, in order of record."""
        ...

    async def list_waiting(
        self, scope: Scope, ticket_id: TicketId, before: datetime | None = None
    ) -> Sequence[CrossCharge]:
        """Return the waiting ones of a ticket: all, or those whose calls were admitted before an instant."""
        ...

    async def list_since(
        self, scope: Scope, organization_id: OrganizationId, counterparty_id: PlatformId, since: datetime
    ) -> Sequence[tuple[datetime, int]]:
        """Return when calls were admitted that were posted, and their wholesale amounts."""
        ...

    async def insert_many(self, charges: Sequence[CrossCharge]) -> None:
        """Insert new ones; raises AlreadyExists if one of their records has one."""
        ...

    async def settle_many(self, charges: Sequence[CrossCharge]) -> None:
        """Write what became of waiting ones, whose ticket this transaction has locked."""
        ...
