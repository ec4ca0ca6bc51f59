"""A supernode: devices in one scale-up domain, with the links and tiers of switches between them, as values.

A part is a member, a switch or a link, each known by its name within the supernode. Tier 0 are links from member to
member; a switch of tier 1 has members below it, one of tier 2 switches of tier 1. A plane is a set of switches that
meet no others: what one plane carries, the others carry beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from keisan.domain.errors import InvalidInput

MEMBERS_MAX = 16_384
TIERS_MAX = 8
# Of one member; a sample's count of links that are up has the same bound.
LINKS_MAX = 4096
MESH_TIER = 0


class Cooling(StrEnum):
    """How heat leaves a supernode."""

    AIR = "air"
    LIQUID = "liquid"
    IMMERSION = "immersion"


@dataclass(frozen=True, slots=True)
class SupernodeSwitch:
    """A switch of a tier, 1 or higher, and of a plane, from 0."""

    name: str
    tier: int
    plane: int = 0


@dataclass(frozen=True, slots=True)
class SupernodeLink:
    """A link between two members or switches by name; its tier is that of its higher end.

    `bandwidth_bytes_per_s` is of one direction. Of a tier's links all have it, or none: then they count alike.
    """

    name: str
    ends: tuple[str, str]
    bandwidth_bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class Supernode:
    """`members` are names of devices (ids, or numbers as text) in the order of the cabinet.

    Without links the wiring is not known. `template` names what it was made from; power is in watts, rated.
    """

    name: str
    members: tuple[str, ...]
    switches: tuple[SupernodeSwitch, ...] = ()
    links: tuple[SupernodeLink, ...] = ()
    template: str | None = None
    cooling: Cooling | None = None
    rated_power_w: int | None = None

    @property
    def is_wiring_known(self) -> bool:
        """Whether anything is known of how members reach each other."""
        return bool(self.links)


def list_tiers(supernode: Supernode) -> dict[str, int]:
    """Return the tier of each part but links: members have tier 0."""
    tiers = dict.fromkeys(supernode.members, MESH_TIER)
    tiers.update({switch.name: switch.tier for switch in supernode.switches})
    return tiers


def check_supernode(supernode: Supernode) -> None:
    """Raise InvalidInput for a part named twice, a link to nothing, a tier out of bounds, or bandwidth of some links only."""
    if not 1 <= len(supernode.members) <= MEMBERS_MAX:
        raise InvalidInput(f"a supernode has 1 to {MEMBERS_MAX} members, got {len(supernode.members)}", "members")
    seen: set[str] = set()
    for field, name in _walk_names(supernode):
        if name in seen:
            raise InvalidInput(f"two parts are called '{name}'", field)
        seen.add(name)
    for switch in supernode.switches:
        if not 1 <= switch.tier <= TIERS_MAX:
            raise InvalidInput(f"the tier of a switch lies within 1 and {TIERS_MAX}, got {switch.tier}", switch.name)
    _check_links(supernode)


def _walk_names(supernode: Supernode) -> Iterator[tuple[str, str]]:
    yield from (("members", name) for name in supernode.members)
    yield from (("switches", switch.name) for switch in supernode.switches)
    yield from (("links", link.name) for link in supernode.links)


def _check_links(supernode: Supernode) -> None:
    tiers = list_tiers(supernode)
    told: dict[int, bool] = {}
    for link in supernode.links:
        missing = next((end for end in link.ends if end not in tiers), None)
        if missing is not None:
            raise InvalidInput(f"the link '{link.name}' ends at '{missing}', which is no part", "links")
        if link.ends[0] == link.ends[1]:
            raise InvalidInput(f"the link '{link.name}' ends where it begins", "links")
        has_bandwidth = link.bandwidth_bytes_per_s is not None
        if told.setdefault(max(tiers[end] for end in link.ends), has_bandwidth) is not has_bandwidth:
            raise InvalidInput(
                f"the bandwidth of some links of the tier of '{link.name}' is known, not of all", "links"
            )
        if link.bandwidth_bytes_per_s is not None and link.bandwidth_bytes_per_s < 1:
            raise InvalidInput(f"the bandwidth of the link '{link.name}' is 1 or more", "links")
