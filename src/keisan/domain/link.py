"""A link to a neighbour: the platform's parent, or one of its children; and the invitation with which a child comes.

Seen from here: of a parent, region, prefix and epoch are what it gave this platform; of a child, what this platform gave it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.departure import Departure
from keisan.domain.errors import StateConflict
from keisan.domain.ids import InvitationId, LinkId, PlatformId
from keisan.domain.key_chain import KeyChain
from keisan.domain.limits import LINK_OFFSET_MS_MAX
from keisan.domain.platform import PlatformKind


class LinkSide(StrEnum):
    """What the neighbour is to this platform."""

    PARENT = "parent"
    CHILD = "child"


class LinkState(StrEnum):
    """How far a link is. One that has left or was revoked stays: what it brought is settled by it."""

    REQUESTED = "requested"
    REJECTED = "rejected"
    JOINED = "joined"
    LEAVING = "leaving"
    LEFT = "left"
    REVOKED = "revoked"


LINK_TRANSITIONS: Mapping[LinkState, frozenset[LinkState]] = {
    LinkState.REQUESTED: frozenset({LinkState.JOINED, LinkState.REJECTED, LinkState.REVOKED}),
    LinkState.REJECTED: frozenset(),
    LinkState.JOINED: frozenset({LinkState.LEAVING, LinkState.LEFT, LinkState.REVOKED}),
    LinkState.LEAVING: frozenset({LinkState.LEFT, LinkState.REVOKED}),
    LinkState.LEFT: frozenset({LinkState.REVOKED}),
    LinkState.REVOKED: frozenset(),
}

# Of these a neighbour has one at a time.
LIVE_STATES = frozenset({LinkState.REQUESTED, LinkState.JOINED, LinkState.LEAVING})
# Over these letters are sent and taken.
OPEN_STATES = frozenset({LinkState.JOINED, LinkState.LEAVING})
# What came over one of these before it ended is still somebody's.
ENDED_STATES = frozenset({LinkState.LEFT, LinkState.REVOKED})


@dataclass(frozen=True, slots=True)
class Link:
    """`name` and `kind` are the neighbour's. `region` is None for an industry platform, and with `prefix` until it has joined.

    `epoch` rises at every join, move and restore. `keys` are the neighbour's; the hash of the first is its id. `url` is where a
    parent's API is, empty of a child. `certificate` is what the parent issued the child and `ca` who stands for it (PEM, empty
    before). `offset_ms` is how far ahead the neighbour's clock was when last measured, `heard_at` when that was. `reviewer` is who
    approved or rejected, at the parent. `departure` are the steps by which this platform leaves a parent, `successor_id` is the link
    to the one that it moves to. `link_key` is the public key of a child's connections.
    `asked_ms` is when, by the child's clock, its last question was made: an older one is a replay.
    `digest` is that of the invitation's secret, at the child while it asks, and `fault` why its last question came to nothing.
    `link_url` is where a parent takes the connections of its children, empty until it has told.
    """

    id: LinkId
    platform_id: PlatformId
    neighbour_id: PlatformId
    side: LinkSide
    state: LinkState
    name: str
    kind: PlatformKind
    region: str | None
    prefix: str
    epoch: int
    keys: KeyChain
    url: str
    invitation_id: InvitationId | None
    certificate: str
    certificate_ends_at: datetime | None
    ca: str
    offset_ms: int | None
    heard_at: datetime | None
    reviewer: str
    reviewed_at: datetime | None
    ended_at: datetime | None
    version: int
    created_at: datetime
    departure: Departure = ()
    successor_id: LinkId | None = None
    link_key: bytes = b""
    asked_ms: int = 0
    digest: str = ""
    fault: str = ""
    link_url: str = ""

    @property
    def is_open(self) -> bool:
        """Tell whether letters are sent and taken over it."""
        return self.state in OPEN_STATES

    @property
    def is_clock_off(self) -> bool:
        """Tell whether the two clocks are so far apart that somebody should know."""
        return self.offset_ms is not None and abs(self.offset_ms) > LINK_OFFSET_MS_MAX


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time right to ask to join as a child; `region`, `label` and `kind` are proposed to whoever reviews, None: nothing is.

    `digest` is that of the secret. `used_by` is set by the one platform that used it.
    """

    id: InvitationId
    platform_id: PlatformId
    digest: str
    kind: PlatformKind | None
    region: str | None
    label: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_by: PlatformId | None


def check_link_transition(link: Link, state: LinkState) -> None:
    """Raise StateConflict unless a link may go to a state."""
    if state not in LINK_TRANSITIONS[link.state]:
        raise StateConflict(f"a link that is {link.state} cannot become {state}")


def is_certificate_due(started_at: datetime, ends_at: datetime, now: datetime) -> bool:
    """Tell whether a certificate is to be renewed: a third of its life or less is left."""
    return ends_at - now <= (ends_at - started_at) / 3
