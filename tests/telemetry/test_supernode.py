"""Supernodes of a site, live: faults and silence of devices become what is left of the cabinet."""

import numpy as np
import pytest

from keisan.catalog.supernode import load_supernode_templates
from keisan.domain.inventory import SupernodeEntry
from keisan.domain.roll_up import CountName
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.device_note import DeviceNotes
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import LiveSite
from keisan.telemetry.site_columns import SiteColumns
from keisan.telemetry.supernode import LiveSupernode, assess_supernodes
from tests.telemetry.fleet import NOON, build_head, build_inventory, build_values, number_site

NAMES = tuple(f"device-{number}" for number in range(8))
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


def retire(site: LiveSite, *names: str) -> None:
    site.note_devices(DeviceNotes(retired=frozenset(names)))
    assert site.roll_up(NOON.monotonic_ms)


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
    retire(site, *NAMES)
    assert assess(site) == []


def declare(site: LiveSite, *members: str, links_per_member: int = 0) -> list[LiveSupernode]:
    """Assess a site's first supernode as one whose members are told by name."""
    entry = SupernodeEntry("cabinet-0", "node-8-mesh", members, links_per_member)
    object.__setattr__(site.columns.inventory.head, "supernodes", (entry,))
    return assess(site)


def test_a_member_that_no_driver_has_seen_is_unknown() -> None:
    [found] = declare(open_site("node-8-mesh"), *NAMES)
    assert found.assessment.verdict is Verdict.OK
    site = open_site("node-8-mesh")
    site.columns.inventory.supernode[3] = -1
    [found] = declare(site, *NAMES[:3], "GPU-of-nobody", *NAMES[4:])
    assert (found.assessment.verdict, found.member_count, found.template) == (Verdict.UNKNOWN, 8, "node-8-mesh")
    assert (len(found.assessment.connected), len(found.assessment.connected_possible)) == (7, 8)
    assert found.assessment.reasons[0] == "1 of 8 members unknown: GPU-of-nobody"
    assert found.assessment.reasons[-1] == "no driver has seen 1 of the members, GPU-of-nobody the first"


def test_members_stand_in_the_order_of_the_cabinet_and_not_of_their_numbers() -> None:
    [found] = declare(open_site("node-8-mesh", failed=1), *reversed(NAMES))
    assert found.assessment.connected == tuple(reversed(NAMES[1:]))


def test_links_that_are_down_count_where_the_site_says_of_how_many() -> None:
    site = open_site("node-8-mesh", failed=1)
    links = np.array([0, 7, 7, 7, 7, 7, 7, 6], np.int32)
    site.columns.values[FIELD_INDEX[SampleName.LINK_UP_COUNT]] = links
    [found] = declare(site, *NAMES)
    assert found.assessment.left_ppm == 21 * 1_000_000 // 28
    [found] = declare(site, *NAMES, links_per_member=7)
    # Device 7 lost a link, to device 0 which has failed: that one is counted already.
    assert found.assessment.left_ppm == 21 * 1_000_000 // 28
    assert found.assessment.reasons[1] == "1 of 8 members have links down: device-7 has 6 of 7"
    # Three more, to devices 1 to 3, which count them too.
    site.columns.values[FIELD_INDEX[SampleName.LINK_UP_COUNT]] = [0, 5, 5, 5, 6, 6, 6, 3]
    [found] = declare(site, *NAMES, links_per_member=7)
    assert found.assessment.left_ppm == pytest.approx(18 * 1_000_000 // 28, abs=1)
    assert found.assessment.connected_possible == NAMES[1:]
    assert found.assessment.connected == NAMES[1:7]
    # More than the site says that there are is all of them; of one that is not told, or not heard, nothing is known.
    links[7] = 18
    site.columns.values[FIELD_INDEX[SampleName.LINK_UP_COUNT]] = links
    assert declare(site, *NAMES, links_per_member=7)[0].assessment.left_ppm == 21 * 1_000_000 // 28
    links[7] = MISSING
    site.columns.values[FIELD_INDEX[SampleName.LINK_UP_COUNT]] = links
    assert declare(site, *NAMES, links_per_member=7)[0].assessment.left_ppm == 21 * 1_000_000 // 28
    silent = open_site("node-8-mesh", silent=1)
    silent.columns.values[FIELD_INDEX[SampleName.LINK_UP_COUNT]] = 0
    silent.columns.values[FIELD_INDEX[SampleName.LINK_UP_COUNT], 1:] = 7
    [found] = declare(silent, *NAMES, links_per_member=7)
    assert (found.assessment.verdict, found.assessment.left_possible_ppm) == (Verdict.UNKNOWN, 1_000_000)


def test_one_that_was_taken_out_leaves_its_place_empty() -> None:
    site = open_site("node-8-mesh", failed=1)
    retire(site, "device-0")
    for [found] in (assess(site), declare(site, *NAMES)):
        assert (found.assessment.verdict, found.member_count, found.template) == (Verdict.OK, 7, "node-8-mesh")
        assert found.assessment.reasons == ("1 of 8 members taken out: device-0",)
        assert found.assessment.left_ppm == 21 * 1_000_000 // 28


def test_one_is_taken_out_with_the_roll_up_that_leaves_it_out() -> None:
    site = open_site("node-8-mesh", failed=1)
    site.note_devices(DeviceNotes(retired=frozenset({"device-0"})))
    for _ in range(2):
        [found] = assess(site)
        assert (found.assessment.verdict, found.member_count) == (Verdict.FAILED, 8)
        assert site.whole.get_counts(0)[CountName.FAILED] == 1
        # An inventory that has grown meanwhile changes nothing of that.
        site.grow(SiteColumns.begin(build_inventory([0] * 8, [0]), site.columns.gflops))
    site.roll_up(NOON.monotonic_ms)
    [found] = assess(site)
    assert (found.assessment.verdict, found.member_count) == (Verdict.OK, 7)
