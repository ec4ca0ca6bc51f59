"""Grants in time: a child's is held or released when it is over, and a parent asks again at half time. Silence ends nothing else."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from keisan.control.context import Control
from keisan.control.grant import write_grant
from keisan.control.grant_letter import read_offset
from keisan.control.grant_want import renew_due_want
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NotFound
from keisan.domain.grant import Grant, GrantState, GrantWant
from keisan.domain.ids import GrantId, GrantWantId
from keisan.federation.rule_grant import expire_grant, find_end_for_child, reckon_grant
from keisan.federation.rule_grant_want import find_renewal_due
from keisan.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class GrantSight:
    """A grant, and how far its parent's clock is ahead now."""

    grant: Grant
    offset_ms: int | None


@dataclass(frozen=True, slots=True)
class GrantChange:
    """The grant before and after; `due_at` is when to look again if it goes on."""

    before: Grant
    after: Grant
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class GrantReconciler:
    """Ends the time of this platform's grants."""

    control: Control

    async def load(self, transaction: Transaction, noun_id: UUID) -> GrantSight | None:
        """Return the grant, None if there is none."""
        try:
            grant = await transaction.grants.get(PlatformScope(), GrantId(noun_id))
        except NotFound:
            return None
        return GrantSight(grant, await read_offset(transaction, grant.parent_id))

    def decide(self, state: GrantSight, now: datetime) -> GrantChange:
        """Hold or release one whose time is over."""
        after = expire_grant(state.grant, now, state.offset_ms)
        is_going_on = after.state is GrantState.ISSUED
        due_at = find_end_for_child(reckon_grant(after, state.offset_ms)) if is_going_on else None
        return GrantChange(state.grant, after, due_at)

    async def apply(self, transaction: Transaction, change: GrantChange, _now: datetime) -> datetime | None:
        """Write what became of it; raises VersionMismatch if it was renewed or ended since the load."""
        await write_grant(transaction, self.control, change.before, change.after)
        return change.due_at


@dataclass(frozen=True, slots=True)
class WantChange:
    """A want as it was seen, and whether it is time to ask again."""

    want: GrantWant
    is_due: bool
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class GrantWantReconciler:
    """Asks again, in time."""

    control: Control

    async def load(self, transaction: Transaction, noun_id: UUID) -> GrantWant | None:
        """Return the want, None if there is none."""
        try:
            return await transaction.grant_wants.get(PlatformScope(), GrantWantId(noun_id))
        except NotFound:
            return None

    def decide(self, state: GrantWant, now: datetime) -> WantChange:
        """Ask again at half time."""
        due_at = find_renewal_due(state)
        return WantChange(state, due_at is not None and now >= due_at, due_at)

    async def apply(self, transaction: Transaction, change: WantChange, _now: datetime) -> datetime | None:
        """Write the want as asked again; raises VersionMismatch if it was changed since the load."""
        if not change.is_due:
            return change.due_at
        return find_renewal_due(await renew_due_want(transaction, self.control, change.want))
