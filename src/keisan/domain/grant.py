"""A grant: the time-boxed right of a parent platform to use capacity of its child. The child alone issues it, and owns it.

A parent keeps a want. The child keeps the grant: proposed -> issued | refused; issued -> held (its time is over) -> issued
(renewed); issued and held -> released. Nothing but the word of one side, or the time of one to release, ends a grant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import DeploymentId, DeviceId, GrantId, GrantWantId, PlatformId


class OnExpiry(StrEnum):
    """What happens to a grant that is not renewed: the child keeps the replicas, or takes the devices back."""

    HOLD = "hold"
    RELEASE = "release"


class GrantState(StrEnum):
    """Where a grant is in its life."""

    PROPOSED = "proposed"
    ISSUED = "issued"
    HELD = "held"
    RELEASED = "released"
    REFUSED = "refused"


_S = GrantState
GRANT_TRANSITIONS: dict[GrantState, frozenset[GrantState]] = {
    _S.PROPOSED: frozenset({_S.ISSUED, _S.REFUSED}),
    _S.ISSUED: frozenset({_S.HELD, _S.RELEASED}),
    _S.HELD: frozenset({_S.ISSUED, _S.RELEASED}),
    _S.RELEASED: frozenset(),
    _S.REFUSED: frozenset(),
}
# These hold devices.
HOLDING_STATES = frozenset({_S.ISSUED, _S.HELD})
FINAL_STATES = frozenset({_S.RELEASED, _S.REFUSED})


class WantState(StrEnum):
    """Whether the parent still wants it."""

    OPEN = "open"
    ENDED = "ended"


WANT_TRANSITIONS: dict[WantState, frozenset[WantState]] = {
    WantState.OPEN: frozenset({WantState.ENDED}),
    WantState.ENDED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class GrantScope:
    """What is granted: `count` devices of a chip, None for any of the pool, for `duration_s`."""

    chip: str | None
    count: int
    duration_s: int
    on_expiry: OnExpiry


@dataclass(frozen=True, slots=True)
class GrantWork:
    """What a parent wants to run on what it was granted: copies of a model, which the child must know by the same weights."""

    model_name: str
    weights_sha256: str
    engine: str
    slots: int
    replica_count: int


@dataclass(frozen=True, slots=True)
class Grant:
    """As the child keeps it. `number` is 0 until it is issued, and then of its own within `epoch`.

    `renewal` is the last word of the parent's want that was followed, `reckoned_from` when that came here, on the child's own
    clock, and `offset_ms` the parent's clock less the child's then, None if it was not measured. The child alone knows `device_ids`.
    """

    id: GrantId
    platform_id: PlatformId
    parent_id: PlatformId
    want_id: GrantWantId
    epoch: int
    number: int
    scope: GrantScope
    renewal: int
    reckoned_from: datetime
    offset_ms: int | None
    device_ids: tuple[DeviceId, ...]
    work: GrantWork | None
    deployment_id: DeploymentId | None
    state: GrantState
    reason: str
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Sending:
    """When a parent sent one word of a want and under which epoch; `offset_ms` the child's clock less its own, None if not measured."""

    epoch: int
    at: datetime
    offset_ms: int | None


@dataclass(frozen=True, slots=True)
class GrantAnswer:
    """What the child last said of a want, in a register of `version`."""

    epoch: int
    number: int
    version: int
    state: GrantState
    renewal: int
    reason: str


@dataclass(frozen=True, slots=True)
class GrantWant:
    """As the parent keeps it. `epoch` is the highest that it has heard of from this child.

    `renewal` counts how often the parent has asked, `sendings` tell when, of the words that the child may still answer.
    """

    id: GrantWantId
    platform_id: PlatformId
    child_id: PlatformId
    epoch: int
    scope: GrantScope
    renewal: int
    sendings: Mapping[int, Sending] = field(hash=False)
    work: GrantWork | None
    state: WantState
    answer: GrantAnswer | None
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WantWord:
    """What a parent's want says to its child: under which epoch, how often it was asked, and whether it is still wanted.

    `heard_number` is the highest that the parent has heard of in this epoch, of any grant of this child.
    """

    parent_id: PlatformId
    want_id: GrantWantId
    epoch: int
    heard_number: int
    renewal: int
    is_ended: bool
    scope: GrantScope
    work: GrantWork | None


@dataclass(frozen=True, slots=True)
class WantArrival:
    """When a want came to the child, on its own clock, and the parent's clock less its own then, None if not measured."""

    at: datetime
    offset_ms: int | None


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What a child keeps of itself: the epoch of its link, the last number given in it, and its policy.

    A want of up to `automatic_count` devices in all is granted at once, a larger one waits for a person.
    """

    platform_id: PlatformId
    epoch: int
    last_number: int
    automatic_count: int
    version: int


def can_move_grant(before: GrantState, after: GrantState) -> bool:
    """Tell whether the state table has this transition; staying is always allowed."""
    return before is after or after in GRANT_TRANSITIONS[before]
