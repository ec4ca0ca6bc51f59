"""The contract of a reconciler: load what is, decide on values, apply under the lease. The loop is in control/lease.py."""

from datetime import datetime
from typing import Generic, Protocol, TypeVar, runtime_checkable
from uuid import UUID

from keisan.storage.base import Transaction

State = TypeVar("State")
Change = TypeVar("Change")


class Reconciler(Protocol, Generic[State, Change]):
    """One noun's way from desired to actual state."""

    async def load(self, transaction: Transaction, noun_id: UUID) -> State | None:
        """Return all that the decision needs, from one read view; None if the noun is gone."""
        ...

    def decide(self, state: State, now: datetime) -> Change:
        """Return what to change; pure: no I/O, no clock."""
        ...

    async def apply(self, transaction: Transaction, change: Change, now: datetime) -> datetime | None:
        """Write the change within a transaction that holds the lease; return when to look again.

        None means not before the next change. Raises VersionMismatch if something changed since the load; the loop then tries again.
        """
        ...


@runtime_checkable
class Performer(Protocol):
    """A reconciler that also works between its two transactions, under the lease of both: it reaches out, or writes files."""

    async def perform(self, change: object) -> object:
        """Do what was decided and return the change to apply, with what came of it.

        It takes less than half of a lease's life, and may be done again if the lease is lost.
        """
        ...
