"""Templates of supernodes: what ships is whole, and no value passes without evidence."""

from importlib.resources import files

import pytest

from keisan.catalog.supernode import load_supernode_templates, parse_template
from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Grade
from keisan.domain.supernode_assessment import SupernodeState, assess_supernode
from keisan.domain.supernode_template import TemplateFactName, expand_template
from keisan.domain.verdict import Verdict

FOLDER = files("keisan.catalog").joinpath("data/supernodes")
CLOUDMATRIX = FOLDER.joinpath("cloudmatrix-384.toml").read_text(encoding="utf-8")


def test_templates_that_ship() -> None:
    templates = load_supernode_templates()
    assert {template.id: template.member_count for template in templates} == {
        "cloudmatrix-384": 384,
        "metax-mesh-64": 64,
        "node-8-mesh": 8,
        "node-8-switched": 8,
        "shanghai-cube-128": 128,
        "sugon-scalex640": 640,
    }
    for template in templates:
        members = [f"device-{n}" for n in range(template.member_count)]
        whole = assess_supernode(expand_template(template, "x", members), SupernodeState())
        assert (whole.verdict, whole.connected) == (Verdict.OK, tuple(members))


def test_cloudmatrix_is_as_the_paper_has_it() -> None:
    template = parse_template(CLOUDMATRIX, "c.toml")
    supernode = expand_template(template, "x", [str(n) for n in range(384)])
    assert [sum(switch.tier == tier for switch in supernode.switches) for tier in (1, 2)] == [336, 112]
    own = [link.bandwidth_bytes_per_s for link in supernode.links if "0" in link.ends]
    assert sum(width or 0 for width in own) == 392_000_000_000
    assert template.facts[TemplateFactName.RATED_POWER_W].values == (500_000, 559_000)
    assert template.evidence.grade is Grade.TESTED


def test_lost_tier_one_switch_costs_its_plane_of_one_node() -> None:
    supernode = expand_template(parse_template(CLOUDMATRIX, "c.toml"), "x", [str(n) for n in range(384)])
    found = assess_supernode(supernode, SupernodeState(failed=frozenset({"S1.0.0.0"})))
    assert (found.verdict, len(found.connected)) == (Verdict.OK, 384)
    assert found.left_ppm == 1_000_000 * (48 * 7 - 1) // (48 * 7)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("member_count = 384", "member_count = 0", "member_count"),
        ("member_count = 384", 'member_count = "384"', "member_count"),
        ("member_count = 384", "members = 384", ""),
        ('values = ["Huawei"]\nsource', 'values = ["Huawei"]\nsauce', "facts.builder"),
        ('grade = "B"', 'grade = "E"', "evidence.grade"),
        ("date = 2026-11-25", 'date = "soon"', "evidence.date"),
        ("values = [48]", 'values = ["48"]', "facts.node_count.values"),
        ("values = [48]", "values = []", "facts.node_count.values"),
        ('values = ["Huawei"]', "values = [1]", "facts.builder.values"),
        ("[facts.builder]", "[facts.cooling]", "facts.cooling.values"),
        ("[facts.builder]", "[facts.colour]", "facts.colour"),
        ("plane_count = 7", "plane_count = 6", "wiring"),
        ("[wiring]", "[wiring]\nmesh_members = 5", "wiring"),
    ],
)
def test_fault_names_file_and_field(old: str, new: str, field: str) -> None:
    assert old in CLOUDMATRIX
    with pytest.raises(InvalidInput, match=r"^c\.toml: ") as refusal:
        parse_template(CLOUDMATRIX.replace(old, new, 1), "c.toml")
    assert refusal.value.field == field


def test_text_that_is_not_toml_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"c\.toml: this is not TOML"):
        parse_template("[", "c.toml")
