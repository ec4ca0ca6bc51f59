"""A letter: what one platform signed for another, or for all; stored and forwarded as exactly the bytes that were signed.

Letters are what crosses a link. One with a name is the newest word on that name (a register); one without is an item of a log.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import LetterId, LinkId, PlatformId


class LetterKind(StrEnum):
    """What a letter is about. A newer platform may know more: a kind is a text until somebody applies it."""

    # Items of the ledger's log.
    USAGE = "usage"
    TOTALS = "totals"
    CREDIT_RETURN = "credit_return"
    PERIOD_END = "period_end"
    COUNTERSIGNATURE = "countersignature"
    COMPARISON = "comparison"
    # Items of the event log.
    EVENT = "event"
    # Registers.
    PLATFORM = "platform"
    NAME = "name"
    ROLL_UP = "roll_up"
    INVENTORY = "inventory"
    OFFER = "offer"
    SCENARIO = "scenario"
    PRICE = "price"
    POLICY = "policy"
    GRANT = "grant"
    GRANT_WANT = "grant_want"
    CREDIT = "credit"
    ADMISSION = "admission"
    REVOCATION = "revocation"


class Reach(StrEnum):
    """How far a register travels: along every link, towards the root, away from it, or along the path to its audience."""

    ALL = "all"
    UP = "up"
    DOWN = "down"
    AUDIENCE = "audience"


# Raw usage and device detail are not here: they stay in their region.
REGISTER_REACH: dict[LetterKind, Reach] = {
    LetterKind.PLATFORM: Reach.ALL,
    LetterKind.NAME: Reach.ALL,
    LetterKind.OFFER: Reach.ALL,
    LetterKind.REVOCATION: Reach.ALL,
    LetterKind.ROLL_UP: Reach.UP,
    LetterKind.INVENTORY: Reach.UP,
    LetterKind.SCENARIO: Reach.UP,
    LetterKind.PRICE: Reach.DOWN,
    LetterKind.POLICY: Reach.DOWN,
    LetterKind.GRANT: Reach.AUDIENCE,
    LetterKind.GRANT_WANT: Reach.AUDIENCE,
    LetterKind.CREDIT: Reach.AUDIENCE,
    LetterKind.ADMISSION: Reach.AUDIENCE,
}


@dataclass(frozen=True, slots=True)
class Letter:
    """`id` is a UUIDv7 of its author's; `audience` whom it is for, None for whoever reads it.

    `period` is the settlement period that it belongs to, empty if none: it is kept until that is countersigned. A register has
    a `name` and a `version` of at least 1, and `is_deleted` makes it a tombstone. `body` is what its kind says, `content` all
    bytes that were signed, `signature` theirs, by `public_key`, which its author's name must vouch for.
    """

    id: LetterId
    kind: str
    author: PlatformId
    audience: PlatformId | None
    period: str
    name: str
    version: int
    is_deleted: bool
    made_at_ms: int
    body: bytes
    content: bytes
    public_key: bytes
    signature: bytes

    @property
    def is_register(self) -> bool:
        """Tell whether it is the newest word on a name, and not one item of many."""
        return bool(self.name)


@dataclass(frozen=True, slots=True)
class RefusedLetter:
    """A letter that could not be applied, kept for a person to judge: refused by a rule, or of a kind not known yet."""

    letter: Letter
    link_id: LinkId
    code: str
    text: str
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a letter came here: by which link, from which neighbour, and when; its author may be someone further away."""

    link_id: LinkId
    neighbour_id: PlatformId
    arrived_at: datetime
