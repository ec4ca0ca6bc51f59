"""Retention: what has no more use after its time is deleted, a bounded number of rows in each round, each with an event.

A step and its event are one transaction under the lease, so a crash leaves both or neither, and the next round goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR
from keisan.domain.access import PlatformScope
from keisan.domain.event import EventDraft
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import RETENTION_LOOK_S, RETENTION_STEP_ROWS_MAX
from keisan.domain.retention import RetentionKind, RetentionRule, RetentionStep, choose_step
from keisan.storage.base import Storage, Transaction

# There is one retention on a platform, and no row that could give it an id.
RETENTION_ID = UUID("0190a7c0-0000-7000-8000-000000000002")


@dataclass(frozen=True, slots=True)
class RetentionReconciler:
    """Deletes by `rules`, up to `rows_max` rows a round, and looks every ten minutes where nothing is over its time."""

    rules: tuple[RetentionRule, ...]
    rows_max: int = RETENTION_STEP_ROWS_MAX

    async def load(self, transaction: Transaction, _noun_id: UUID) -> Mapping[RetentionKind, datetime]:
        """Return the time of the oldest row that could go, of each kind that has one."""
        oldest: dict[RetentionKind, datetime] = {}
        for kind in RetentionKind:
            since = await transaction.retention.find_oldest(PlatformScope(), kind)
            if since is not None:
                oldest[kind] = since
        return oldest

    def decide(self, state: Mapping[RetentionKind, datetime], now: datetime) -> RetentionStep | None:
        """Choose what is longest over its time."""
        return choose_step(self.rules, state, now)

    async def apply(self, transaction: Transaction, change: RetentionStep | None, now: datetime) -> datetime:
        """Delete and say so in an event; look again at once, behind all other due work, or in ten minutes."""
        if change is None:
            return now + timedelta(seconds=RETENTION_LOOK_S)
        rule = change.rule
        count = await transaction.retention.delete_before(rule.kind, change.cutoff, self.rows_max)
        if count:
            detail = {
                "kind": str(rule.kind),
                "count": str(count),
                "kept_days": str(rule.kept_days),
                "before": change.cutoff.isoformat(),
            }
            await transaction.events.append(EventDraft(CONTROL_ACTOR, "retention.deleted", None, detail))
        return now


async def start_retention(storage: Storage, now: datetime) -> None:
    """Make retention's work due: at every start of a platform, since the days may have changed."""
    async with storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.RETENTION, RETENTION_ID, now)
