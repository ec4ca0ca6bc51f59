"""Retention of what has a time of its own: stored answers, closed tickets, quarantined records, delivered deliveries.

Days of usage records go by reconcilers/retention_day.py, which has to ask more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR
from keisan.domain.event import EventDraft
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import RETENTION_INTERVAL_S, RETENTION_ROWS_MAX
from keisan.domain.retention import RetentionKind, RetentionTerms
from keisan.ledger.rule_retention import find_limit
from keisan.storage.base import Storage, Transaction

# There is one of each on a platform, and no row that could give them an id.
RETENTION_ID = UUID("0190a7c0-0000-7000-8000-000000000002")
SWEPT_KINDS = tuple(kind for kind in RetentionKind if kind is not RetentionKind.USAGE)


@dataclass(frozen=True, slots=True)
class Expiry:
    """Of a kind, what was done with before an instant goes."""

    kind: RetentionKind
    before: datetime


@dataclass(frozen=True, slots=True)
class RetentionReconciler:
    """Deletes some of each kind at a time, and goes on at once while there is more."""

    terms: RetentionTerms

    async def load(self, transaction: Transaction, _noun_id: UUID) -> RetentionTerms:  # noqa: ARG002  # the contract's
        """Return the terms: what is old is found where it is deleted."""
        return self.terms

    def decide(self, state: RetentionTerms, now: datetime) -> Sequence[Expiry]:
        """Return what may go of each kind that is not kept for ever."""
        limits = ((kind, find_limit(state, kind, now)) for kind in SWEPT_KINDS)
        return [Expiry(kind, before) for kind, before in limits if before is not None]

    async def apply(self, transaction: Transaction, change: Sequence[Expiry], now: datetime) -> datetime:
        """Delete, and leave an event for each kind of which something went."""
        has_more = False
        for each in change:
            count = await transaction.retention.delete_expired(each.kind, each.before, RETENTION_ROWS_MAX)
            has_more = has_more or count == RETENTION_ROWS_MAX
            if count:
                detail = {"count": str(count), "before": each.before.isoformat()}
                await transaction.events.append(describe_deletion(self.terms, each.kind, detail))
        return now if has_more else now + timedelta(seconds=RETENTION_INTERVAL_S)


def describe_deletion(terms: RetentionTerms, kind: RetentionKind, detail: dict[str, str]) -> EventDraft:
    """Return the event of a deletion: of what, how many, and under which rule."""
    rule = f"platform.retention.{kind}_days = {terms.get_days(kind)}"
    return EventDraft(CONTROL_ACTOR, "retention.deleted", None, {"kind": str(kind), "rule": rule, **detail})


async def start_retention(storage: Storage, now: datetime) -> None:
    """Make retention's work due: at every start of a platform, for its terms may be others now."""
    async with storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.RETENTION, RETENTION_ID, now)
        await transaction.outbox.put(WorkNoun.RETENTION_DAY, RETENTION_ID, now)
