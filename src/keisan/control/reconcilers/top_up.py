"""Top-ups: one that was proposed and not decided on in time is over, and nothing was posted."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NotFound
from keisan.domain.event import EventDraft
from keisan.domain.ids import EntryId
from keisan.domain.top_up import TopUp, TopUpState, is_over
from keisan.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class TopUpChange:
    """The top-up as it was seen, and whether its time is over."""

    seen: TopUp
    is_over: bool


class TopUpReconciler:
    """Ends what nobody decided on."""

    async def load(self, transaction: Transaction, noun_id: UUID) -> TopUp | None:
        """Return the top-up, None if there is none."""
        try:
            return await transaction.top_ups.get(PlatformScope(), EntryId(noun_id))
        except NotFound:
            return None

    def decide(self, state: TopUp, now: datetime) -> TopUpChange:
        """Expire a proposed one whose time has come."""
        return TopUpChange(state, is_over(state, now))

    async def apply(self, transaction: Transaction, change: TopUpChange, now: datetime) -> datetime | None:
        """Write the end with its event; look at one that still waits when it would end.

        Raises VersionMismatch if it was decided on since the load.
        """
        seen = change.seen
        if not change.is_over:
            return seen.expires_at if seen.state is TopUpState.PROPOSED else None
        expired = replace(seen, state=TopUpState.EXPIRED, decided_at=now, version=seen.version + 1)
        await transaction.top_ups.update(expired)
        detail = {"organization_id": str(seen.organization_id), "kind": str(seen.kind)}
        await transaction.events.append(EventDraft(CONTROL_ACTOR, "top_up.expired", seen.id, detail))
        return None
