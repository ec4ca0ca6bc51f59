"""Share rules: which part of a rate limit each gateway may use (R4). Values in, values out.

A share is raised only from what no gateway can be using, so the shares of a limit never sum to more than the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from keisan.domain.share import SHARE_WHOLE_PPM

# A limit this small would be in crumbs if every gateway had a part of it: one gateway has it whole. From the second
# number on it is divided however many gateways there are.
HOMED_PER_GATEWAY_PER_MINUTE = 60
DIVIDED_PER_MINUTE = 1000
# A home moves to a gateway that is asked for it this many times as often.
HOME_MOVE_FACTOR = 2
# What is left free for a gateway that is asked for the first time, while demand allows it.
RESERVE_PPM = SHARE_WHOLE_PPM // 4
# Changes smaller than this, over all gateways, are not worth an exchange.
STEP_PPM = SHARE_WHOLE_PPM // 250


@dataclass(frozen=True, slots=True)
class Holding:
    """What one gateway can be using of a limit, and how many units per minute it was asked for."""

    gateway_id: UUID
    share_ppm: int
    demand_per_minute: int


@dataclass(frozen=True, slots=True)
class SharedLimit:
    """A limit, the one gateway that asks, and all others that can be using it.

    `most` is in units per minute, or with `is_rate` False in calls that are open at once; demand is per minute always.
    `gateway_count` is the number of gateways that speak, at least 1.
    """

    most: int
    own: Holding
    others: Sequence[Holding]
    gateway_count: int
    is_rate: bool = True

    @property
    def everyone(self) -> tuple[Holding, ...]:
        """Return the holdings of all gateways."""
        return (self.own, *self.others)

    @property
    def is_homed(self) -> bool:
        """Tell whether one gateway has the limit whole."""
        return self.most < min(HOMED_PER_GATEWAY_PER_MINUTE * self.gateway_count, DIVIDED_PER_MINUTE)


def choose_share_ppm(limit: SharedLimit) -> int:
    """Return the share that the asking gateway may use from now on.

    What is asked for is given as far as nobody else can be using it; what others need more is taken.
    """
    free_ppm = max(0, SHARE_WHOLE_PPM - sum(other.share_ppm for other in limit.others))
    return min(compute_due_ppm(limit), free_ppm)


def compute_due_ppm(limit: SharedLimit) -> int:
    """Return the share that the asking gateway is to have once the others have let go of what they do not need."""
    if not limit.others:
        return SHARE_WHOLE_PPM
    if limit.is_homed:
        return SHARE_WHOLE_PPM if _choose_home(limit) == limit.own.gateway_id else 0
    return _divide(limit)


def _choose_home(limit: SharedLimit) -> UUID:
    """Return the gateway that has the limit whole: it stays where it is unless it is wanted much more elsewhere."""
    home = max(limit.everyone, key=lambda held: (held.share_ppm, held.demand_per_minute, held.gateway_id))
    rival = max(limit.everyone, key=lambda held: (held.demand_per_minute, held.gateway_id))
    is_moved = rival.demand_per_minute > HOME_MOVE_FACTOR * home.demand_per_minute
    return rival.gateway_id if is_moved else home.gateway_id


def _divide(limit: SharedLimit) -> int:
    """Return the part of the asking gateway by demand; of its present one nothing is taken that nobody else needs."""
    wanted_ppm, *others_ppm = _want_by_demand(limit)
    own_ppm = limit.own.share_ppm
    if abs(wanted_ppm - own_ppm) * limit.gateway_count < STEP_PPM:
        return own_ppm
    free_ppm = SHARE_WHOLE_PPM - sum(held.share_ppm for held in limit.everyone)
    unwanted_ppm = max(0, SHARE_WHOLE_PPM - wanted_ppm - sum(others_ppm))
    lacking_ppm = sum(
        max(0, other_ppm - other.share_ppm) for other_ppm, other in zip(others_ppm, limit.others, strict=True)
    )
    needed_ppm = lacking_ppm + min(RESERVE_PPM, unwanted_ppm) - free_ppm
    return max(wanted_ppm, own_ppm - max(0, needed_ppm))


def _want_by_demand(limit: SharedLimit) -> list[int]:
    """Return the part that each gateway would have, the own first.

    With more demand than the limit the parts are those of the demand, so that nothing lies idle. With less, each has what
    it is asked for and a part of half of the rest. How many calls are open at once is not known from how many come, so
    there the parts are always those of the demand.
    """
    demanded_ppm = [_to_ppm(limit, held.demand_per_minute) for held in limit.everyone]
    total_ppm = sum(demanded_ppm)
    if total_ppm >= SHARE_WHOLE_PPM:
        return [demand_ppm * SHARE_WHOLE_PPM // total_ppm for demand_ppm in demanded_ppm]
    asking_count = max(1, sum(1 for demand_ppm in demanded_ppm if demand_ppm))
    spare_ppm = (SHARE_WHOLE_PPM - total_ppm) // (2 * asking_count)
    return [demand_ppm + spare_ppm if demand_ppm else 0 for demand_ppm in demanded_ppm]


def _to_ppm(limit: SharedLimit, demand_per_minute: int) -> int:
    """Return a demand in parts of the limit, rounded up."""
    return -(-demand_per_minute * SHARE_WHOLE_PPM // (limit.most if limit.is_rate else 1))
