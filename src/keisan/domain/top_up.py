"""A top-up: money that the platform's people put into an organization's wallet, from outside or, as a credit note, of its own.

Above a limit it is proposed by one admin's key and posted by another's (four eyes). It is never taken back: a correction is
a new entry.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from keisan.domain.ids import EntryId, KeyId, OrganizationId, PlatformId, RecordId


class TopUpKind(StrEnum):
    """A top-up comes from outside; a credit note gives back of the platform's revenue."""

    TOP_UP = "top_up"
    CREDIT_NOTE = "credit_note"


class TopUpState(StrEnum):
    """A proposed one has posted nothing; the three others are for good."""

    PROPOSED = "proposed"
    POSTED = "posted"
    REJECTED = "rejected"
    EXPIRED = "expired"


TOP_UP_TRANSITIONS: dict[TopUpState, frozenset[TopUpState]] = {
    TopUpState.PROPOSED: frozenset({TopUpState.POSTED, TopUpState.REJECTED, TopUpState.EXPIRED}),
    TopUpState.POSTED: frozenset(),
    TopUpState.REJECTED: frozenset(),
    TopUpState.EXPIRED: frozenset(),
}


class TopUpOutcome(StrEnum):
    """What comes of a word on a proposed one; the values are codes that stay. The last two are refusals."""

    POSTED = "posted"
    REJECTED = "rejected"
    SELF_APPROVAL = "self_approval"
    ALREADY_DECIDED = "already_decided"


@dataclass(frozen=True, slots=True)
class TopUp:
    """`id` is that of the journal entry it is posted in; `balance_nano` the wallet's balance after that, None before.

    `note` says why, for people. A credit note may name the usage record or the statement that it gives back for.
    `expires_at` None: it needed no second person. `decided_by` is the key that approved or rejected it.
    """

    id: EntryId
    platform_id: PlatformId
    organization_id: OrganizationId
    kind: TopUpKind
    currency: str
    amount_nano: int
    note: str
    record_id: RecordId | None
    statement_id: UUID | None
    state: TopUpState
    proposed_by: KeyId
    decided_by: KeyId | None
    decided_at: datetime | None
    expires_at: datetime | None
    balance_nano: int | None
    version: int
    created_at: datetime


def is_over(top_up: TopUp, now: datetime) -> bool:
    """Tell whether a proposed one has waited too long, whether or not that is written down yet."""
    return top_up.expires_at is not None and top_up.state is TopUpState.PROPOSED and now >= top_up.expires_at


def decide_outcome(top_up: TopUp, key_id: KeyId, *, is_approval: bool, now: datetime) -> TopUpOutcome:
    """Return what comes of one key's word on a top-up. Whoever proposed it may withdraw it, and never approve it."""
    if top_up.state is not TopUpState.PROPOSED or is_over(top_up, now):
        return TopUpOutcome.ALREADY_DECIDED
    if not is_approval:
        return TopUpOutcome.REJECTED
    return TopUpOutcome.SELF_APPROVAL if key_id == top_up.proposed_by else TopUpOutcome.POSTED
