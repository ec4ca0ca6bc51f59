"""A link's logs: letters in order to one neighbour, each at its place by (sender, log, incarnation, sequence).

An incarnation is a life of the sender's log: it ends when the sender and the receiver remember different things (a disk was
restored), and another begins with what is kept. A letter's own id makes its second arrival harmless.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from keisan.domain.ids import LetterId, PlatformId

FIRST_HASH = bytes(32)


class LinkLog(StrEnum):
    """The logs of a link. What must arrive in one order is in one log: the end of a period comes after its records."""

    LEDGER = "ledger"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class LogItem:
    """A letter (encoded) at its place; `hash` is the running hash up to and with it (32 bytes)."""

    sequence: int
    hash: bytes
    letter_id: LetterId
    letter: bytes


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Where a sender's log is: what was appended last, and the last that is not kept any more; both 0 at first.

    Items from `trimmed_sequence` + 1 to `sequence` are kept, each with its hash. The neighbour has said that it has applied
    those up to `acknowledged_sequence`, which only its sender knows.
    """

    incarnation: UUID
    sequence: int
    hash: bytes
    trimmed_sequence: int
    trimmed_hash: bytes
    acknowledged_sequence: int = 0


@dataclass(frozen=True, slots=True)
class LogCursor:
    """How far a receiver has applied a log: moved in the transaction that applied, and in no other."""

    incarnation: UUID
    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class SettledPeriod:
    """A settlement period that author and audience have both signed for: its letters need not be kept for the link any more."""

    author: PlatformId
    audience: PlatformId
    period: str


def extend_hash(before: bytes, letter: bytes) -> bytes:
    """Return the running hash after one more letter (32 bytes)."""
    return hashlib.sha256(before + hashlib.sha256(letter).digest()).digest()
