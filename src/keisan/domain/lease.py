"""A lease on one due piece of work: an outbox row names a noun to reconcile; a lease names who does it now.

Every write that follows from the work is guarded by the lease's token; a lost lease writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class WorkNoun(StrEnum):
    """Nouns that are reconciled; each has one reconciler in control."""

    ARCHIVE = "archive"
    CHALLENGE = "challenge"
    CHALLENGE_SCHEDULE = "challenge_schedule"
    CLOSING = "closing"
    DEPLOYMENT = "deployment"
    GRANT = "grant"
    GRANT_WANT = "grant_want"
    LINK = "link"
    NAME = "name"
    PLATFORM_TICKET = "platform_ticket"
    PRICE = "price"
    RETENTION = "retention"
    RETENTION_DAY = "retention_day"
    SERVING_CHALLENGE = "serving_challenge"
    SETTLEMENT = "settlement"
    SITE = "site"
    TICKET = "ticket"
    WEBHOOK = "webhook"
    TOP_UP = "top_up"


@dataclass(frozen=True, slots=True)
class Lease:
    """`generation` is that of the outbox row when taken: if it rose meanwhile, the work is due again."""

    noun: WorkNoun
    noun_id: UUID
    generation: int
    token: UUID
    attempt: int
    expires_at: datetime
