"""Supernodes as an operator sets them: contradictions are named with their path, and every device is one supernode's at most."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.evidence import Evidence, Grade
from keisan.domain.inventory import SupernodeEntry
from keisan.domain.supernode import MEMBERS_MAX
from keisan.domain.supernode_plan import (
    PlannedDevice,
    SupernodePlan,
    count_member_links,
    list_plan_faults,
    resolve_plans,
)
from keisan.domain.supernode_template import SupernodeTemplate, TierTemplate, Wiring

EVIDENCE = Evidence("a sheet", Grade.VENDOR, date(2026, 11, 27))
UNWIRED = SupernodeTemplate("unwired", "Unwired", 2, EVIDENCE, {})
WIRED = replace(UNWIRED, id="wired", wiring=Wiring(EVIDENCE, mesh_members=2, tiers=(TierTemplate(2, 3, 1),)))
TEMPLATES = {template.id: template for template in (UNWIRED, WIRED)}
GOOD = SupernodePlan("cube", "wired", ("a", "b"), links_per_member=4)


def list_faults(*plans: SupernodePlan) -> list[str]:
    return list(list_plan_faults(plans, TEMPLATES))


def test_what_fits_is_let_pass() -> None:
    assert list_faults(GOOD, SupernodePlan("other", members=("c",)), SupernodePlan("third", nodes=("n",))) == []
    assert (
        list_faults(replace(GOOD, members=("a",)), SupernodePlan("free", "unwired", ("c",), links_per_member=1)) == []
    )
    assert (count_member_links(WIRED), count_member_links(UNWIRED)) == (4, 0)
    assert count_member_links(replace(WIRED, wiring=Wiring(EVIDENCE, tiers=(TierTemplate(2, 3, 2),)))) == 6


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        (
            SupernodePlan("cube", members=("c",)),
            "1.name: expected a name of its own, got 'cube', the name of supernode 0",
        ),
        (SupernodePlan("x"), "1: expected members or nodes, got neither"),
        (SupernodePlan("x", members=("c",), nodes=("n",)), "1: expected members or nodes, got both"),
        (
            SupernodePlan("x", members=("c", "a")),
            "1.members.1: expected each of the members once, got 'a', which is in supernode 0",
        ),
        (
            SupernodePlan("x", members=("c", "c")),
            "1.members.1: expected each of the members once, got 'c', which is in supernode 1",
        ),
        (
            SupernodePlan("x", nodes=("n", "n")),
            "1.nodes.1: expected each of the nodes once, got 'n', which is in supernode 1",
        ),
        (SupernodePlan("x", "cube-9", ("c",)), "1.template: expected one of unwired, wired, got 'cube-9'"),
        (
            SupernodePlan("x", "unwired", ("c", "d", "e")),
            "1.members: expected at most the 2 of the template unwired, got 3",
        ),
        (
            SupernodePlan("x", "wired", ("c",), links_per_member=3),
            "1.links_per_member: expected at least the 4 links that a member has in the template wired, got 3",
        ),
        (
            SupernodePlan("x", members=tuple(f"device-{n}" for n in range(MEMBERS_MAX + 1))),
            f"1.members: expected at most {MEMBERS_MAX}, got {MEMBERS_MAX + 1}",
        ),
    ],
)
def test_a_contradiction_is_named_with_its_path(second: SupernodePlan, fault: str) -> None:
    assert list_faults(GOOD, second) == [fault]


DEVICES = (
    PlannedDevice("cpu-of-n", "n", "cpu-x86-64"),
    PlannedDevice("a", "n", "nvidia-h20"),
    PlannedDevice("b", "n", "unknown"),
    PlannedDevice("c", "m", "nvidia-h20"),
)


def resolve(*plans: SupernodePlan) -> tuple[SupernodeEntry, ...]:
    return resolve_plans(plans, DEVICES, {"host": "n"})


def test_members_are_as_set_in_the_order_of_the_cabinet_seen_or_not() -> None:
    assert resolve(replace(GOOD, members=("b", "never-seen", "a"))) == (
        SupernodeEntry("cube", "wired", ("b", "never-seen", "a"), 4),
    )


def test_a_node_gives_its_accelerators_that_nobody_names() -> None:
    own, rest = resolve(SupernodePlan("own", members=("a",)), SupernodePlan("rest", nodes=("host", "m")))
    assert (own.members, rest.members) == (("a",), ("b", "c"))


def test_a_node_without_devices_is_missing_and_one_named_twice_gives_them_once() -> None:
    assert [entry.members for entry in resolve(SupernodePlan("x", nodes=("elsewhere",)))] == [("elsewhere",)]
    assert [entry.members for entry in resolve(SupernodePlan("x", nodes=("n", "host")))] == [("a", "b")]
    assert resolve(SupernodePlan("x", nodes=("n",)), SupernodePlan("y", nodes=("host",)))[1:] == ()
    assert [
        entry.members for entry in resolve(SupernodePlan("x", members=("z",)), SupernodePlan("y", nodes=("z",)))
    ] == [("z",)]


NAMES = st.lists(st.sampled_from("abcdefgh"), max_size=4)


@given(
    plans=st.lists(st.tuples(NAMES, st.booleans()), max_size=4),
    places=st.lists(st.sampled_from(["n", "m", "h", "a"]), max_size=8),
)
def test_whatever_passes_gives_no_device_to_two_supernodes(
    plans: list[tuple[list[str], bool]], places: list[str]
) -> None:
    listed = tuple(
        SupernodePlan(str(n), nodes=tuple(names)) if is_nodes else SupernodePlan(str(n), members=tuple(names))
        for n, (names, is_nodes) in enumerate(plans)
    )
    if list(list_plan_faults(listed, {})):
        return
    devices = [PlannedDevice("abcdefgh"[n], place, "chip") for n, place in enumerate(places)]
    members = [member for entry in resolve_plans(listed, devices, {"b": "n"}) for member in entry.members]
    assert len(set(members)) == len(members)
