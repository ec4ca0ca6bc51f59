"""What is left of a supernode when parts have failed or are not heard of: who reaches whom, how much bandwidth, a verdict.

Everything is told twice: by what is proven to work, and by what may work, where unknown parts are taken to. A path may lead
through other members, as collective libraries forward through them. Members may count links that are up and cannot say which:
each of their links is then worth its share of that count (docs/decisions/0058).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from keisan.domain.supernode import MESH_TIER, Supernode, SupernodeLink, list_tiers
from keisan.domain.verdict import Verdict

PPM = 1_000_000
# Of each kind of part so many are named in a reason; the rest is counted.
NAMED_PARTS_MAX = 4


@dataclass(frozen=True, slots=True)
class LinkCount:
    """So many of a member's links are up, of so many that it has."""

    up: int
    of: int


@dataclass(frozen=True, slots=True)
class SupernodeState:
    """What is known of the parts by name: those in neither set are proven to work; of one in both, failed is believed.

    `removed` are members that were taken out: their places are empty, what was wired to them is lost, and nobody waits for
    them. `links` are of the members that count theirs. `power` and `cooling` are None where nobody watches them; `power_w` is
    the power drawn now.
    """

    failed: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    power: Verdict | None = None
    cooling: Verdict | None = None
    power_w: int | None = None
    removed: frozenset[str] = frozenset()
    links: Mapping[str, LinkCount] = field(default_factory=dict)


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
    links = _group_links(supernode)
    shares = _share_links(supernode, state)
    gone = state.failed | state.removed
    by_proof = _choose_parts(supernode, gone | state.unknown, shares, is_proven=True)
    by_hope = _choose_parts(supernode, gone, shares, is_proven=False)
    proven = _view_tiers(supernode, links, by_proof)
    is_clear = by_proof.broken == gone and not shares
    possible = proven if is_clear else _view_tiers(supernode, links, by_hope)
    connected = _choose_largest(supernode, proven, by_proof)
    connected_possible = _choose_largest(supernode, possible, by_hope)
    awaited = _list_awaited(supernode, state)
    verdict = _judge(state, len(awaited), len(connected), len(connected_possible))
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
        reasons=(*_explain_parts(supernode, state), *_explain_reach(supernode, awaited, connected, connected_possible)),
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


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is taken to work: parts outside `broken`, and of a member's links its share in millionths.

    `is_counted` says that all members outside `broken` count their links.
    More than half of them leads any two members to a common neighbour, whichever links those are: as much as is proven.
    """

    broken: frozenset[str]
    shares: Mapping[str, int]
    is_proven: bool
    is_counted: bool

    def is_cut(self, part: str) -> bool:
        """Tell whether a part is taken to reach nobody for want of links."""
        return self.shares.get(part, PPM) <= (PPM // 2 if self.is_proven else 0)

    def is_working(self, link: SupernodeLink) -> bool:
        """Tell whether a link and both of its ends work."""
        return link.name not in self.broken and self.broken.isdisjoint(link.ends)

    def weigh(self, link: SupernodeLink, tiers: Mapping[str, int]) -> int:
        """Return how much of a link works, in millionths.

        A link between members that is down is counted at both of its ends, where both count. Where some do not, each count may
        be of another link.
        """
        shares = [self.shares.get(end, PPM) for end in link.ends if tiers[end] == MESH_TIER]
        if self.is_proven and not self.is_counted:
            return max(0, PPM - sum(PPM - share for share in shares))
        return sum(shares) // len(shares) if shares else PPM


def _choose_parts(
    supernode: Supernode, broken: frozenset[str], shares: Mapping[str, int], *, is_proven: bool
) -> _Parts:
    return _Parts(broken, shares, is_proven, is_counted=broken.union(shares).issuperset(supernode.members))


def _share_links(supernode: Supernode, state: SupernodeState) -> dict[str, int]:
    """Return which share of its links each member that counts them has up, of those that do not end at what is gone anyway."""
    if not state.links:
        return {}
    all_links, lost_links = Counter[str](), Counter[str]()
    gone = state.failed | state.removed
    for link in supernode.links:
        all_links.update(link.ends)
        if link.name in gone or not gone.isdisjoint(link.ends):
            lost_links.update(link.ends)
    shares = {}
    for member in supernode.members:
        count = state.links.get(member)
        if count is not None and count.of > 0:
            kept = all_links[member] - lost_links[member]
            # With none kept, or none known, the count stands as it is.
            whole, kept = (all_links[member], kept) if kept else (1, 1)
            shares[member] = min(PPM, PPM * count.up * whole // (count.of * kept))
    return shares


def _view_tiers(
    supernode: Supernode, links: Mapping[int, Sequence[SupernodeLink]], parts: _Parts
) -> dict[int, _TierView]:
    """Return a view of each tier that has links, lowest first, as far as parts that work reach."""
    tiers = list_tiers(supernode)
    sets = _DisjointSets(tiers)
    views = {}
    for tier, own in links.items():
        whole = left = 0
        for link in own:
            width = link.bandwidth_bytes_per_s or 1
            whole += width
            if parts.is_working(link):
                left += width * (parts.weigh(link, tiers) if parts.shares else PPM)
                if not parts.shares or not any(map(parts.is_cut, link.ends)):
                    sets.unite(*link.ends)
        views[tier] = _TierView(_find_largest(supernode.members, sets, parts.broken), left // whole)
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


def _choose_largest(supernode: Supernode, views: dict[int, _TierView], parts: _Parts) -> tuple[str, ...]:
    """Return who reach each other through all tiers; where the wiring is not known, all that work and are not cut off."""
    if views:
        return views[max(views)].connected
    working = tuple(member for member in supernode.members if member not in parts.broken)
    return tuple(member for member in working if not parts.is_cut(member)) or working[:1]


def _judge(state: SupernodeState, awaited_count: int, connected_count: int, possible_count: int) -> Verdict:
    facilities = (state.power, state.cooling)
    if possible_count < awaited_count or Verdict.FAILED in facilities:
        return Verdict.FAILED
    if connected_count < awaited_count or Verdict.UNKNOWN in facilities:
        return Verdict.UNKNOWN
    return Verdict.OK


def _list_awaited(supernode: Supernode, state: SupernodeState) -> tuple[str, ...]:
    return tuple(member for member in supernode.members if member not in state.removed)


def _explain_parts(supernode: Supernode, state: SupernodeState) -> Iterator[str]:
    kinds: dict[str, Sequence[str]] = {
        "members": supernode.members,
        "switches": [switch.name for switch in supernode.switches],
        "links": [link.name for link in supernode.links],
    }
    told = {
        "failed": state.failed - state.removed,
        "unknown": state.unknown - state.failed - state.removed,
        "taken out": state.removed,
    }
    for word, names in told.items():
        for kind, parts in kinds.items():
            found = [part for part in parts if part in names]
            if found:
                yield f"{len(found)} of {len(parts)} {kind} {word}: {_name_some(found)}"
    gone = state.failed | state.removed | state.unknown
    down = {name: count for name, count in state.links.items() if count.up < count.of and name not in gone}
    if down:
        worst = sorted((name for name in supernode.members if name in down), key=lambda name: down[name].up)
        counts = [f"{name} has {down[name].up} of {down[name].of}" for name in worst]
        yield f"{len(down)} of {len(supernode.members)} members have links down: {_name_some(counts)}"
    for kind, verdict in (("power", state.power), ("cooling", state.cooling)):
        if verdict not in (None, Verdict.OK):
            yield f"{kind} {verdict}"
    if state.power_w is not None and supernode.rated_power_w is not None and state.power_w > supernode.rated_power_w:
        yield f"draws {state.power_w} W, rated for {supernode.rated_power_w} W"


def _explain_reach(
    supernode: Supernode, awaited: Sequence[str], connected: Sequence[str], possible: Sequence[str]
) -> Iterator[str]:
    if not supernode.is_wiring_known and len(awaited) > 1:
        yield "the wiring is not known: members that work are taken to reach each other"
    lost = [member for member in awaited if member not in set(possible)]
    if lost:
        yield f"members failed or out of reach of the others: {len(lost)} ({_name_some(lost)})"
    unproven = set(possible) - set(connected)
    doubted = [member for member in awaited if member in unproven]
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
