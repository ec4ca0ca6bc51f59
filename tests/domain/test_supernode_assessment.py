"""What is left of a supernode equals a slow recomputation, on random topologies with random faults."""

from collections.abc import Set as AbstractSet
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.supernode import Supernode, SupernodeLink, SupernodeSwitch, check_supernode, list_tiers
from keisan.domain.supernode_assessment import LinkCount, SupernodeAssessment, SupernodeState, assess_supernode
from keisan.domain.verdict import Verdict

MEMBERS = tuple("abcdef")


@st.composite
def draw_supernode(draw: st.DrawFn) -> Supernode:
    members = MEMBERS[: draw(st.integers(min_value=1, max_value=6))]
    switches = tuple(
        SupernodeSwitch(f"s{n}", draw(st.integers(min_value=1, max_value=3)), n % 2)
        for n in range(draw(st.integers(min_value=0, max_value=4)))
    )
    tiers = dict.fromkeys(members, 0) | {switch.name: switch.tier for switch in switches}
    has_bandwidth = [draw(st.booleans()) for _ in range(4)]
    links = []
    for ends in combinations(tiers, 2):
        if draw(st.booleans()):
            known = has_bandwidth[max(tiers[end] for end in ends)]
            width = draw(st.integers(min_value=1, max_value=9)) if known else None
            links.append(SupernodeLink("~".join(ends), ends, width))
    supernode = Supernode("x", members, switches, tuple(links))
    check_supernode(supernode)
    return supernode


@st.composite
def draw_case(draw: st.DrawFn) -> tuple[Supernode, SupernodeState]:
    supernode = draw(draw_supernode())
    parts = [*list_tiers(supernode), *(link.name for link in supernode.links)]
    some = st.frozensets(st.sampled_from(parts), max_size=4)
    verdicts = st.none() | st.sampled_from(Verdict)
    return supernode, SupernodeState(draw(some), draw(some), draw(verdicts), draw(verdicts))


def reach(supernode: Supernode, start: str, broken: AbstractSet[str], tier_max: int) -> set[str]:
    """Return the members that a walk from a member comes to, looking at every link at every step."""
    tiers, seen, is_growing = list_tiers(supernode), {start}, True
    while is_growing:
        is_growing = False
        for link in supernode.links:
            is_allowed = max(tiers[end] for end in link.ends) <= tier_max and not {link.name, *link.ends} & broken
            if is_allowed and len(seen & set(link.ends)) == 1:
                seen |= set(link.ends)
                is_growing = True
    return seen & set(supernode.members)


def find_largest(supernode: Supernode, broken: AbstractSet[str], tier_max: int) -> tuple[str, ...]:
    working = [member for member in supernode.members if member not in broken]
    sets = [reach(supernode, member, broken, tier_max) for member in working]
    largest = max(sets, key=lambda found: (len(found), -supernode.members.index(min(found))), default=set())
    return tuple(member for member in supernode.members if member in largest)


def measure_left_ppm(supernode: Supernode, broken: AbstractSet[str], tier: int) -> int:
    tiers = list_tiers(supernode)
    own = [link for link in supernode.links if max(tiers[end] for end in link.ends) == tier]
    left = [link for link in own if not {link.name, *link.ends} & broken]
    widths = [[link.bandwidth_bytes_per_s or 1 for link in links] for links in (left, own)]
    return sum(widths[0]) * 1_000_000 // sum(widths[1])


@given(case=draw_case())
def test_assessment_equals_a_slow_recomputation(case: tuple[Supernode, SupernodeState]) -> None:
    supernode, state = case
    found = assess_supernode(supernode, state)
    tiers = list_tiers(supernode)
    used = sorted({max(tiers[end] for end in link.ends) for link in supernode.links})
    doubted = state.failed | state.unknown
    assert [tier.tier for tier in found.tiers] == used
    for tier in found.tiers:
        assert tier.connected_count == len(find_largest(supernode, doubted, tier.tier))
        assert tier.connected_possible_count == len(find_largest(supernode, state.failed, tier.tier))
        assert tier.left_ppm == measure_left_ppm(supernode, doubted, tier.tier)
        assert tier.left_possible_ppm == measure_left_ppm(supernode, state.failed, tier.tier)
    if used:
        assert found.connected == find_largest(supernode, doubted, used[-1])
        assert found.connected_possible == find_largest(supernode, state.failed, used[-1])
        assert found.left_ppm == min(tier.left_ppm for tier in found.tiers)
        assert found.left_possible_ppm == min(tier.left_possible_ppm for tier in found.tiers)
    else:
        assert found.connected == tuple(name for name in supernode.members if name not in doubted)
        assert (found.left_ppm, found.left_possible_ppm) == (None, None)


@given(case=draw_case())
def test_unknown_never_counts_as_failed_nor_as_ok(case: tuple[Supernode, SupernodeState]) -> None:
    supernode, state = case
    found = assess_supernode(supernode, state)
    believed = assess_supernode(supernode, SupernodeState(state.failed, frozenset(), state.power, state.cooling))
    feared = assess_supernode(
        supernode, SupernodeState(state.failed | state.unknown, frozenset(), state.power, state.cooling)
    )
    assert (found.verdict is Verdict.FAILED) is (believed.verdict is Verdict.FAILED)
    if found.verdict is Verdict.OK:
        assert feared.verdict is Verdict.OK
    assert found.connected_possible == believed.connected
    assert found.connected == feared.connected
    assert len(found.connected) <= len(found.connected_possible)


@given(case=draw_case())
def test_verdict_that_is_not_ok_has_a_reason(case: tuple[Supernode, SupernodeState]) -> None:
    supernode, state = case
    found = assess_supernode(supernode, state)
    assert found.verdict is Verdict.OK or found.reasons
    whole = len(supernode.members)
    if Verdict.FAILED not in (state.power, state.cooling):
        assert (found.verdict is Verdict.FAILED) is (len(found.connected_possible) < whole)


def build_switched(*, planes: int) -> Supernode:
    switches = tuple(SupernodeSwitch(f"s{plane}", 1, plane) for plane in range(planes))
    links = tuple(SupernodeLink(f"{m}~{s.name}", (m, s.name)) for m in MEMBERS for s in switches)
    return Supernode("cabinet", MEMBERS, switches, links, rated_power_w=1000)


def assess(supernode: Supernode, **state: object) -> SupernodeAssessment:
    return assess_supernode(supernode, SupernodeState(**state))  # type: ignore[arg-type]  # fields by name


def test_lost_plane_leaves_everybody_in_reach_at_less_bandwidth() -> None:
    found = assess(build_switched(planes=4), failed=frozenset({"s1"}))
    assert (found.verdict, found.connected, found.left_ppm) == (Verdict.OK, MEMBERS, 750_000)
    assert found.reasons == ("1 of 4 switches failed: s1",)


def test_unknown_plane_is_unknown_only_where_nothing_else_connects() -> None:
    assert assess(build_switched(planes=2), unknown=frozenset({"s1"})).verdict is Verdict.OK
    found = assess(build_switched(planes=1), unknown=frozenset({"s0"}))
    assert (found.verdict, found.connected, found.connected_possible) == (Verdict.UNKNOWN, ("a",), MEMBERS)
    assert (found.left_ppm, found.left_possible_ppm) == (0, 1_000_000)


def test_long_lists_are_counted() -> None:
    found = assess(build_switched(planes=1), failed=frozenset("abcde"))
    assert found.reasons == (
        "5 of 6 members failed: a, b, c, d and 1 more",
        "members failed or out of reach of the others: 5 (a, b, c, d and 1 more)",
    )


def test_power_and_cooling_are_part_of_it() -> None:
    supernode = build_switched(planes=1)
    assert assess(supernode, cooling=Verdict.FAILED).verdict is Verdict.FAILED
    found = assess(supernode, power=Verdict.UNKNOWN, power_w=1001)
    assert found.verdict is Verdict.UNKNOWN
    assert found.reasons == ("power unknown", "draws 1001 W, rated for 1000 W")
    assert assess(supernode, power=Verdict.OK, power_w=1000).reasons == ()


def test_without_wiring_members_that_work_are_taken_to_reach_each_other() -> None:
    found = assess(Supernode("x", MEMBERS), unknown=frozenset("b"))
    assert (found.verdict, found.connected) == (Verdict.UNKNOWN, tuple("acdef"))
    assert found.reasons[1] == "the wiring is not known: members that work are taken to reach each other"
    assert assess(Supernode("x", ("a",))).reasons == ()


@st.composite
def draw_link_case(draw: st.DrawFn) -> tuple[Supernode, frozenset[str], frozenset[str], SupernodeState]:
    """Return a wiring as templates have it, which members are gone, which links really are down, and what members count."""
    members = MEMBERS[: draw(st.integers(min_value=2, max_value=6))]
    planes = draw(st.integers(min_value=0, max_value=4))
    switches = tuple(SupernodeSwitch(f"s{plane}", 1, plane) for plane in range(planes))
    ends = [(m, s.name) for m in members for s in switches] or list(combinations(members, 2))
    supernode = Supernode("x", members, switches, tuple(SupernodeLink("~".join(pair), pair) for pair in ends))
    gone = draw(st.frozensets(st.sampled_from(members), max_size=2))
    # What ends at a member that is gone is down; of the rest, some.
    drawn = draw(st.frozensets(st.sampled_from([link.name for link in supernode.links])))
    silent = draw(st.frozensets(st.sampled_from(members), max_size=2))
    # Of a link down between members of which none counts, nobody can know.
    counting = frozenset(members) - silent - gone
    down = frozenset(
        link.name
        for link in supernode.links
        if not gone.isdisjoint(link.ends) or (link.name in drawn and not counting.isdisjoint(link.ends))
    )
    lanes = draw(st.integers(min_value=1, max_value=3))
    counts = {}
    for member in counting:
        own = [link.name for link in supernode.links if member in link.ends]
        counts[member] = LinkCount(lanes * len(set(own) - down), lanes * len(own))
    return supernode, gone, down, SupernodeState(failed=gone, links=counts)


@given(case=draw_link_case())
def test_counts_of_links_promise_no_more_than_any_links_behind_them_hold(
    case: tuple[Supernode, frozenset[str], frozenset[str], SupernodeState],
) -> None:
    supernode, gone, down, state = case
    found = assess_supernode(supernode, state)
    really_left = len(supernode.links) - len(down)
    assert found.left_ppm is not None
    assert found.left_possible_ppm is not None
    # Millionths are cut at each link.
    slack = len(supernode.links)
    assert found.left_ppm * len(supernode.links) <= really_left * 1_000_000
    assert found.left_possible_ppm * len(supernode.links) >= really_left * 1_000_000 - slack * len(supernode.links)
    assert len(found.connected) <= len(found.connected_possible)
    counted = set(found.connected) & set(state.links)
    for member in counted:
        assert counted <= reach(supernode, member, gone | down, 1)


def test_a_link_down_counts_once_where_a_switch_is_its_other_end() -> None:
    found = assess(build_switched(planes=4), links={"a": LinkCount(17, 18), "b": LinkCount(18, 18)})
    assert (found.verdict, found.connected) == (Verdict.OK, MEMBERS)
    # One lane of eighteen, on one of six members.
    assert (found.left_ppm, found.left_possible_ppm) == (990_740, 990_740)
    assert found.reasons == ("1 of 6 members have links down: a has 17 of 18",)


def test_a_member_is_cut_off_without_links_and_in_doubt_with_half_of_them() -> None:
    half = assess(build_switched(planes=4), links={"a": LinkCount(2, 4)})
    assert (half.verdict, half.connected, half.connected_possible) == (Verdict.UNKNOWN, MEMBERS[1:], MEMBERS)
    none = assess(build_switched(planes=4), links={"a": LinkCount(0, 4)})
    assert (none.verdict, none.connected_possible) == (Verdict.FAILED, MEMBERS[1:])
    unwired = Supernode("x", MEMBERS)
    assert assess(unwired, links={"a": LinkCount(0, 4)}).connected_possible == MEMBERS[1:]
    assert assess(unwired, links={"a": LinkCount(2, 4)}).connected_possible == MEMBERS
    assert assess(Supernode("x", ("a",)), links={"a": LinkCount(0, 4)}).verdict is Verdict.OK


def test_links_to_what_is_gone_are_taken_for_those_that_are_down() -> None:
    mesh = Supernode(
        "x", MEMBERS, links=tuple(SupernodeLink("~".join(pair), pair) for pair in combinations(MEMBERS, 2))
    )
    found = assess(mesh, failed=frozenset("f"), links={name: LinkCount(4, 5) for name in "abcde"})
    assert found.left_ppm == found.left_possible_ppm == 10 * 1_000_000 // 15


def test_a_member_that_was_taken_out_is_awaited_by_nobody() -> None:
    found = assess(build_switched(planes=1), removed=frozenset("a"))
    assert (found.verdict, found.connected) == (Verdict.OK, MEMBERS[1:])
    assert found.left_ppm == 5 * 1_000_000 // 6
    assert found.reasons == ("1 of 6 members taken out: a",)
    also_failed = assess(build_switched(planes=1), removed=frozenset("a"), failed=frozenset("a"))
    assert (also_failed.verdict, also_failed.reasons) == (Verdict.OK, found.reasons)
