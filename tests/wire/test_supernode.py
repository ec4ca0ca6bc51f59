"""Templates as the API shows them: with evidence, and how many switches each tier comes to."""

from keisan.catalog.supernode import load_supernode_templates
from keisan.domain.supernode_template import expand_template
from keisan.wire.supernode import build_template_view


def test_switches_are_as_many_as_the_supernode_has() -> None:
    for template in load_supernode_templates():
        view = build_template_view(template)
        supernode = expand_template(template, "x", [str(n) for n in range(template.member_count)])
        tiers = view.wiring.tiers if view.wiring else ()
        for tier in tiers:
            assert tier.switch_count == sum(switch.tier == tier.tier for switch in supernode.switches)
        assert sum(tier.switch_count for tier in tiers) == len(supernode.switches)
        assert (view.id, view.evidence.source) == (template.id, template.evidence.source)
        assert {name: fact.values for name, fact in view.facts.items()} == {
            name: fact.values for name, fact in template.facts.items()
        }
