"""Supernodes of a site, live: faults and silence of devices become what is left of the cabinet."""

import numpy as np
import pytest

from keisan.catalog.supernode import load_supernode_templates
from keisan.domain.inventory import SupernodeEntry
from keisan.domain.sample import HEALTH_CODES
from keisan.domain.verdict import Verdict
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import LiveSite
from keisan.telemetry.supernode import LiveSupernode, assess_supernodes
from tests.telemetry.fleet import NOON, build_head, build_inventory, build_values, number_site

TEMPLATES = {template.id: template for template in load_supernode_templates()}


def open_site(*names: str, failed: int = 0, silent: int = 0) -> LiveSite:
    """Return a site with a node of eight devices for each template named, of which the first fail or say nothing."""
    count = 8 * len(names)
    inventory = build_inventory([number // 8 for number in range(count)], range(len(names)))
    entries = tuple(SupernodeEntry(f"cabinet-{number}", name) for number, name in enumerate(names))
    object.__setattr__(inventory.head, "supernodes", entries)
    fleet = LiveFleet({})
    fleet.take_inventory(number_site(1), inventory)
    site = fleet.sites[number_site(1).site_id]
    health = np.full(count, HEALTH_CODES[Verdict.OK])
    health[:failed] = HEALTH_CODES[Verdict.FAILED]
    health[failed : failed + silent] = HEALTH_CODES[Verdict.UNKNOWN]
    site.take(build_head(1), np.arange(count, dtype=np.uint32), build_values(count, health=health), NOON)
    fleet.roll_up(NOON)
    return site


def assess(site: LiveSite) -> list[LiveSupernode]:
    return list(assess_supernodes(site, TEMPLATES))


def test_a_whole_one_is_ok() -> None:
    [found] = assess(open_site("node-8-mesh"))
    assert (found.name, found.template, found.member_count) == ("cabinet-0", "node-8-mesh", 8)
    assert (found.assessment.verdict, found.assessment.left_ppm) == (Verdict.OK, 1_000_000)


@pytest.mark.parametrize(
    ("failed", "silent", "verdict", "reaching", "perhaps"),
    [(1, 0, Verdict.FAILED, 7, 7), (0, 1, Verdict.UNKNOWN, 7, 8), (1, 1, Verdict.FAILED, 6, 7)],
)
def test_faults_and_silence_are_told_apart(
    failed: int, silent: int, verdict: Verdict, reaching: int, perhaps: int
) -> None:
    first, second = assess(open_site("node-8-mesh", "node-8-mesh", failed=failed, silent=silent))
    assert first.assessment.verdict is verdict
    assert (len(first.assessment.connected), len(first.assessment.connected_possible)) == (reaching, perhaps)
    assert second.assessment.verdict is Verdict.OK


def test_a_template_that_does_not_fit_says_nothing_of_the_wiring() -> None:
    found = assess(open_site("cloudmatrix-384", "nobody-knows", ""))
    assert [each.template for each in found] == ["", "", ""]
    assert [each.assessment.left_ppm for each in found] == [None, None, None]
    assert {each.assessment.verdict for each in found} == {Verdict.OK}


def test_one_without_members_is_left_out() -> None:
    site = open_site("node-8-mesh")
    site.columns.inventory.is_retired[:] = True
    assert assess(site) == []
