"""A dispute of a closed statement: opened by its holder, resolved by the platform. The statement itself never changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import DisputeId, EntryId, PlatformId, RecordId, StatementId
from keisan.domain.statement import StatementHolder


class DisputeState(StrEnum):
    """Open until the platform has rejected it, or upheld it with an amount."""

    OPEN = "open"
    REJECTED = "rejected"
    UPHELD = "upheld"


DISPUTE_TRANSITIONS: dict[DisputeState, frozenset[DisputeState]] = {
    DisputeState.OPEN: frozenset({DisputeState.REJECTED, DisputeState.UPHELD}),
    DisputeState.REJECTED: frozenset(),
    DisputeState.UPHELD: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Dispute:
    """`record_ids` are those of the statement's records that it is about, none for the whole.

    An upheld one has moved `amount_nano` to its holder in the entry `entry_id`, of number `entry_sequence`.
    """

    id: DisputeId
    platform_id: PlatformId
    statement_id: StatementId
    holder: StatementHolder
    reason: str
    record_ids: Sequence[RecordId]
    state: DisputeState
    resolution: str
    amount_nano: int | None
    entry_id: EntryId | None
    entry_sequence: int | None
    version: int
    created_at: datetime
    resolved_at: datetime | None
