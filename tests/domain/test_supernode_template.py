"""Templates expand to the supernode that their wiring describes."""

from datetime import date

import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.supernode import Cooling
from keisan.domain.supernode_template import (
    SupernodeTemplate,
    TemplateFact,
    TemplateFactName,
    TierTemplate,
    Wiring,
    check_template,
    expand_template,
)

EVIDENCE = Evidence("a paper", Grade.TESTED, date(2026, 11, 25))


def build_template(
    wiring: Wiring | None, member_count: int = 4, **facts: tuple[str, ...] | tuple[int, ...]
) -> SupernodeTemplate:
    told = {TemplateFactName(name): TemplateFact(values, EVIDENCE) for name, values in facts.items()}
    return SupernodeTemplate("t", "T", member_count, EVIDENCE, told, wiring)


def test_mesh_links_each_to_each_group_by_group() -> None:
    template = build_template(Wiring(EVIDENCE, mesh_members=2, mesh_bytes_per_s=7))
    supernode = expand_template(template, "x", ["a", "b", "c", "d"])
    assert [(link.name, link.bandwidth_bytes_per_s) for link in supernode.links] == [("a~b", 7), ("c~d", 7)]
    assert (supernode.name, supernode.template, supernode.switches) == ("x", "t", ())


def test_tiers_meet_in_their_planes() -> None:
    tiers = (TierTemplate(2, 2, 1, 5), TierTemplate(4, 2, 2, 3))
    supernode = expand_template(build_template(Wiring(EVIDENCE, tiers=tiers)), "x", ["a", "b", "c", "d"])
    assert [switch.name for switch in supernode.switches if switch.tier == 1] == [
        "S1.0.0.0",
        "S1.0.1.0",
        "S1.1.0.0",
        "S1.1.1.0",
    ]
    names = [link.name for link in supernode.links]
    assert names[:4] == ["a~S1.0.0.0", "a~S1.0.1.0", "b~S1.0.0.0", "b~S1.0.1.0"]
    assert names[8:] == [f"S1.{g}.{p}.0~S2.0.{p}.{s}" for g in range(2) for p in range(2) for s in range(2)]
    assert {link.bandwidth_bytes_per_s for link in supernode.links} == {5, 3}
    assert {switch.name: switch.plane for switch in supernode.switches}["S2.0.1.1"] == 1


def test_groups_of_a_higher_tier_have_switches_of_their_own() -> None:
    tiers = (TierTemplate(1, 1, 1), TierTemplate(2, 1, 1), TierTemplate(4, 1, 1))
    supernode = expand_template(build_template(Wiring(EVIDENCE, tiers=tiers)), "x", ["a", "b", "c", "d"])
    names = [link.name for link in supernode.links]
    assert names[4:8] == [f"S1.{group}.0.0~S2.{group // 2}.0.0" for group in range(4)]
    assert names[8:] == ["S2.0.0.0~S3.0.0.0", "S2.1.0.0~S3.0.0.0"]


def test_power_in_dispute_is_the_most_and_cooling_in_dispute_is_not_known() -> None:
    agreed = expand_template(build_template(None, 1, rated_power_w=(559, 600), cooling=("liquid",)), "x", ["a"])
    assert (agreed.rated_power_w, agreed.cooling) == (600, Cooling.LIQUID)
    disputed = expand_template(build_template(None, 1, cooling=("liquid", "air")), "x", ["a"])
    assert (disputed.rated_power_w, disputed.cooling) == (None, None)


def test_template_has_so_many_members() -> None:
    with pytest.raises(InvalidInput, match="the template t has 4 members, got 1"):
        expand_template(build_template(None), "x", ["a"])


@pytest.mark.parametrize(
    "wiring",
    [
        Wiring(EVIDENCE),
        Wiring(EVIDENCE, mesh_members=3),
        Wiring(EVIDENCE, tiers=(TierTemplate(3, 1, 1),)),
        Wiring(EVIDENCE, tiers=(TierTemplate(4, 1, 1), TierTemplate(2, 1, 1))),
        Wiring(EVIDENCE, tiers=(TierTemplate(2, 1, 1), TierTemplate(4, 2, 1))),
    ],
)
def test_wiring_that_does_not_fit_is_refused(wiring: Wiring) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_template(build_template(wiring))
    assert refusal.value.field == "wiring"


def test_template_without_wiring_passes() -> None:
    check_template(build_template(None))
    check_template(build_template(Wiring(EVIDENCE, mesh_members=4)))
