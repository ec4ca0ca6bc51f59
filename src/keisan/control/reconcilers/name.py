"""Names are told anew now and then: others see by it how fresh their knowledge of revocations is."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from keisan.control.context import Control
from keisan.control.name import NAMES_ID, PROOF, tell_names
from keisan.domain.lease import WorkNoun
from keisan.storage.base import Storage, Transaction


@dataclass(frozen=True, slots=True)
class NameReconciler:
    """Tells what differs, and the time of the list of revocations."""

    control: Control

    async def load(self, _transaction: Transaction, noun_id: UUID) -> UUID | None:
        """Return the one row of work that there is."""
        return noun_id if noun_id == NAMES_ID else None

    def decide(self, state: UUID, _now: datetime) -> UUID:
        """Tell it."""
        return state

    async def apply(self, transaction: Transaction, _change: UUID, now: datetime) -> datetime | None:
        """Write what differs, and look again when the list of revocations is to be proven anew."""
        await tell_names(transaction, self.control)
        return now + PROOF


async def start_names(storage: Storage, now: datetime) -> None:
    """Let names be told: at every start, since keys may have been rotated before it."""
    async with storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.NAME, NAMES_ID, now)
