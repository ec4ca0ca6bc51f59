"""A ticket: credit of a holder, leased ahead of use to one incarnation of a gateway (R1).

Leasing moves no money: what a ticket holds is set aside, within the wallet and the budgets that bind its holder, until it
is posted, returned, or the ticket ends.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from keisan.domain.holder import Holder
from keisan.domain.ids import KeyId, MachineId, OrganizationId, PlatformId, ProjectId, TicketId
from keisan.domain.limits import CREDIT_RENEW_S, TICKET_LATENESS_S, TICKET_LEASE_S


class TicketState(StrEnum):
    """A closed ticket holds nothing, and is not opened again."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Amounts in nano-units of `currency`. `project_id` and `key_id` are None unless it was leased for one of these.

    `credit_nano` is all that was ever leased, `returned_nano` all that the gateway gave back, `spent_nano` what it said
    its ended calls cost, `posted_nano` what their records that have arrived cost, whoever paid: these four only grow.
    `reserved_nano` is what its open calls held when it last spoke.
    `give_back_nano` is what to ask back at its gateway's next word, `wanted_nano` what it wanted and did not get, since
    `wanting_since`; `is_contested`: of a wallet or budget that binds it more is on tickets than not, and several hold some.
    `expires_at` is one lease after its gateway's last word, or sooner by the time that passes before that is written anew.
    """

    id: TicketId
    platform_id: PlatformId
    organization_id: OrganizationId
    project_id: ProjectId | None
    key_id: KeyId | None
    currency: str
    gateway_id: MachineId
    incarnation: UUID
    state: TicketState
    credit_nano: int
    returned_nano: int
    spent_nano: int
    reserved_nano: int
    posted_nano: int
    give_back_nano: int
    wanted_nano: int
    wanting_since: datetime | None
    is_contested: bool
    expires_at: datetime
    created_at: datetime
    closed_at: datetime | None

    @property
    def holder(self) -> Holder:
        """Return for whom it was leased."""
        return Holder(self.organization_id, self.project_id, self.key_id)

    @property
    def held_nano(self) -> int:
        """Return what is set aside for it."""
        return self.credit_nano - self.returned_nano - self.posted_nano if self.state is TicketState.OPEN else 0

    @property
    def unspent_nano(self) -> int:
        """Return what its gateway could still spend or return, as far as is known; records may arrive before its word."""
        return max(0, self.credit_nano - self.returned_nano - max(self.spent_nano, self.posted_nano))

    @property
    def free_nano(self) -> int:
        """Return what its gateway held for no open call when it last spoke."""
        return max(0, self.unspent_nano - self.reserved_nano)


@dataclass(frozen=True, slots=True)
class CreditTerms:
    """For how long credit and shares are leased, in seconds.

    A gateway speaks every `renew_s`, and without an answer spends for `lease_s`; what it spent is awaited for
    `lateness_s` more.
    """

    lease_s: int = TICKET_LEASE_S
    lateness_s: int = TICKET_LATENESS_S
    renew_s: int = CREDIT_RENEW_S

    @property
    def silence_s(self) -> int:
        """Return how long a gateway may be silent before nothing is expected of it: two words may be lost."""
        return 3 * self.renew_s
