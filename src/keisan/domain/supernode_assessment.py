"""What is left of a supernode when parts have failed or are not heard of: who reaches whom, how much bandwidth, a verdict.

Everything is told twice: by what is proven to work, and by what may work, where unknown parts are taken to. A path may lead
through other members, as collective libraries forward through them; what has a direct path is less.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keisan.domain.supernode import Supernode, SupernodeLink, list_tiers
from keisan.domain.verdict import Verdict

PPM = 1_000_000
# Of each kind of part so many are named in a reason; the rest is counted.
NAMED_PARTS_MAX = 4


@dataclass(frozen=True, slots=True)
class SupernodeState:
    """What is known of the parts by name: those in neither set are proven to work; of one in both, failed is believed.

    `power` and `cooling` are None where nobody watches them; `power_w` is the power drawn now.
    """

    failed: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    power: Verdict | None = None
    cooling: Verdict | None = None
    power_w: int | None = None


@dataclass(frozen=True, slots=True)
class TierAssessment:
    """One tier, with all below it: members of the largest set that reach each other by links up to this tier.

    `left_ppm` is the share of this tier's own bandwidth that is proven to work, `left_possible_ppm` that may work.
    """

    tier: int
    connected_count: int
    connected_possible_count: int
    left_ppm: int
    left_possible_ppm: int


@dataclass(frozen=True, slots=True)
class SupernodeAssessment:
    """`connected` is the largest set of members that are proven to reach each other, `connected_possible` that may.

    `left_ppm` is the share of scale-up bandwidth left, in millionths: of the tier with the least, None where the wiring is
    not known. Ok: all members are proven to reach each other. Failed: they cannot, whatever is unknown. Else unknown.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    connected: tuple[str, ...]
    connected_possible: tuple[str, ...]
    tiers: tuple[TierAssessment, ...]
    left_ppm: int | None
    left_possible_ppm: int | None


@dataclass(frozen=True, slots=True)
class _TierView:
    """One tier by the parts that are taken to work."""

    connected: tuple[str, ...]
    left_ppm: int


def assess_supernode(supernode: Supernode, state: SupernodeState) -> SupernodeAssessment:
    """Return what is left of a supernode that `check_supernode` let pass; takes milliseconds for 640 members."""
    proven_parts, possible_parts = state.failed | state.unknown, state.failed
    links = _group_links(supernode)
    proven = _view_tiers(supernode, links, proven_parts)
    possible = proven if proven_parts == possible_parts else _view_tiers(supernode, links, possible_parts)
    connected = _choose_largest(supernode, proven, proven_parts)
    connected_possible = _choose_largest(supernode, possible, possible_parts)
    verdict = _judge(supernode, state, len(connected), len(connected_possible))
    tiers = tuple(
        TierAssessment(
            tier=tier,
            connected_count=len(proven[tier].connected),
            connected_possible_count=len(possible[tier].connected),
            left_ppm=proven[tier].left_ppm,
            left_possible_ppm=possible[tier].left_ppm,
        )
        for tier in proven
    )
    return SupernodeAssessment(
        verdict=verdict,
        reasons=(*_explain_parts(supernode, state), *_explain_reach(supernode, connected, connected_possible)),
        connected=connected,
        connected_possible=connected_possible,
        tiers=tiers,
        left_ppm=min((tier.left_ppm for tier in tiers), default=None),
        left_possible_ppm=min((tier.left_possible_ppm for tier in tiers), default=None),
    )


def _group_links(supernode: Supernode) -> dict[int, list[SupernodeLink]]:
    """Return links by their tier, lowest first."""
    tiers = list_tiers(supernode)
    by_tier: dict[int, list[SupernodeLink]] = defaultdict(list)
    for link in supernode.links:
        one, other = link.ends
        by_tier[max(tiers[one], tiers[other])].append(link)
    return dict(sorted(by_tier.items()))


def _view_tiers(
    supernode: Supernode, links: Mapping[int, Sequence[SupernodeLink]], broken: frozenset[str]
) -> dict[int, _TierView]:
    """Return a view of each tier that has links, lowest first, as far as parts outside `broken` reach."""
    sets = _DisjointSets(list_tiers(supernode))
    views = {}
    for tier, own in links.items():
        whole = left = 0
        for link in own:
            one, other = link.ends
            width = link.bandwidth_bytes_per_s or 1
            whole += width
            if link.name not in broken and one not in broken and other not in broken:
                left += width
                sets.unite(one, other)
        views[tier] = _TierView(_find_largest(supernode.members, sets, broken), left * PPM // whole)
    return views


def _find_largest(members: Sequence[str], sets: "_DisjointSets", broken: frozenset[str]) -> tuple[str, ...]:
    groups: dict[str, list[str]] = defaultdict(list)
    for member in members:
        if member not in broken:
            groups[sets.find(member)].append(member)
    largest: list[str] = []
    # Of several as large, the one with the earliest member.
    for group in groups.values():
        if len(group) > len(largest):
            largest = group
    return tuple(largest)


def _choose_largest(supernode: Supernode, views: dict[int, _TierView], broken: frozenset[str]) -> tuple[str, ...]:
    """Return who reach each other through all tiers; where the wiring is not known, all members that work."""
    if views:
        return views[max(views)].connected
    return tuple(member for member in supernode.members if member not in broken)


def _judge(supernode: Supernode, state: SupernodeState, connected_count: int, possible_count: int) -> Verdict:
    facilities = (state.power, state.cooling)
    if possible_count < len(supernode.members) or Verdict.FAILED in facilities:
        return Verdict.FAILED
    if connected_count < len(supernode.members) or Verdict.UNKNOWN in facilities:
        return Verdict.UNKNOWN
    return Verdict.OK


def _explain_parts(supernode: Supernode, state: SupernodeState) -> Iterator[str]:
    kinds: dict[str, Sequence[str]] = {
        "members": supernode.members,
        "switches": [switch.name for switch in supernode.switches],
        "links": [link.name for link in supernode.links],
    }
    for word, names in (("failed", state.failed), ("unknown", state.unknown - state.failed)):
        for kind, parts in kinds.items():
            found = [part for part in parts if part in names]
            if found:
                yield f"{len(found)} of {len(parts)} {kind} {word}: {_name_some(found)}"
    for kind, verdict in (("power", state.power), ("cooling", state.cooling)):
        if verdict not in (None, Verdict.OK):
            yield f"{kind} {verdict}"
    if state.power_w is not None and supernode.rated_power_w is not None and state.power_w > supernode.rated_power_w:
        yield f"draws {state.power_w} W, rated for {supernode.rated_power_w} W"


def _explain_reach(supernode: Supernode, connected: Sequence[str], possible: Sequence[str]) -> Iterator[str]:
    if not supernode.is_wiring_known and len(supernode.members) > 1:
        yield "the wiring is not known: members that work are taken to reach each other"
    lost = [member for member in supernode.members if member not in set(possible)]
    if lost:
        yield f"members failed or out of reach of the others: {len(lost)} ({_name_some(lost)})"
    unproven = set(possible) - set(connected)
    doubted = [member for member in supernode.members if member in unproven]
    if doubted:
        yield f"members not proven to be in reach of the others: {len(doubted)} ({_name_some(doubted)})"


def _name_some(parts: Sequence[str]) -> str:
    more = f" and {len(parts) - NAMED_PARTS_MAX} more" if len(parts) > NAMED_PARTS_MAX else ""
    return ", ".join(parts[:NAMED_PARTS_MAX]) + more


class _DisjointSets:
    """Union and find with halved paths; near to constant time for each link."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parent = {part: part for part in parts}

    def find(self, part: str) -> str:
        parent = self._parent
        while parent[part] != part:
            parent[part] = part = parent[parent[part]]
        return part

    def unite(self, one: str, other: str) -> None:
        first, second = self.find(one), self.find(other)
        if first != second:
            self._parent[first] = second
