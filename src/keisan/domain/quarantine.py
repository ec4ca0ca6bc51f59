"""Quarantine: records that intake refused, byte for byte as they came, and what a person judges of each, once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from keisan.domain.ids import KeyId, MachineId, QuarantineId


class QuarantineState(StrEnum):
    """Quarantined until a person has judged; then for good."""

    QUARANTINED = "quarantined"
    ACCEPTED = "accepted"
    DISCARDED = "discarded"


QUARANTINE_TRANSITIONS: dict[QuarantineState, frozenset[QuarantineState]] = {
    QuarantineState.QUARANTINED: frozenset({QuarantineState.ACCEPTED, QuarantineState.DISCARDED}),
    QuarantineState.ACCEPTED: frozenset(),
    QuarantineState.DISCARDED: frozenset(),
}


class QuarantineVerdict(StrEnum):
    """Whether a refused record is handed to intake again, or is nothing."""

    ACCEPT = "accept"
    DISCARD = "discard"


class QuarantineOutcome(StrEnum):
    """What came of a judgement; only `accepted` posts something.

    `exists`: the same record had been posted meanwhile, and is accepted without another posting. `never_acceptable`: no
    word of a person mends what is wrong with it. `refused`: intake refuses it still. These last two judge nothing.
    """

    ACCEPTED = "accepted"
    EXISTS = "exists"
    DISCARDED = "discarded"
    ALREADY_JUDGED = "already_judged"
    NEVER_ACCEPTABLE = "never_acceptable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """What was refused: `text` are its bytes, `digest` their hex SHA-256, of which `id` is the first half.

    `gateway_id` is the gateway that handed it in first, `code` why it was refused then; `note` says why it was judged so.
    """

    id: QuarantineId
    digest: str
    text: bytes
    code: str
    gateway_id: MachineId
    created_at: datetime
    state: QuarantineState = QuarantineState.QUARANTINED
    note: str = ""
    judged_by: KeyId | None = None
    judged_at: datetime | None = None


def name_quarantined(digest: str) -> QuarantineId:
    """Return the id of what has a digest, so that the same bytes have one id whenever they come."""
    return QuarantineId(UUID(hex=digest[:32]))
