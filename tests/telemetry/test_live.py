"""The fleet as a whole: what each chip can do, and a picture that is replaced at once."""

import numpy as np

from keisan.domain.roll_up import CountName
from keisan.telemetry.live import LiveFleet
from tests.telemetry.fleet import NOON, build_head, build_inventory, build_values, later, number_site

TWO = np.arange(2, dtype=np.uint32)


def test_a_chip_of_which_nothing_is_known_adds_nothing_and_says_so() -> None:
    fleet = LiveFleet({"known-chip": 148_000})
    fleet.take_inventory(number_site(1), build_inventory([0, 0]))
    fleet.roll_up(NOON)
    counts = fleet.picture.sites.get_counts(0)
    assert (counts[CountName.NOMINAL_GFLOPS], counts[CountName.NOMINAL_DEVICES]) == (148_000, 1)
    assert (counts[CountName.DEVICES], counts[CountName.SCHEDULABLE_GFLOPS]) == (2, 0)


def test_only_what_changed_is_added_up_anew() -> None:
    fleet = LiveFleet({})
    for number in (1, 2):
        fleet.take_inventory(number_site(number), build_inventory([0, 0]))
    assert len(fleet.roll_up(NOON)) == 2
    assert fleet.roll_up(later(NOON, 1_000)) == ()
    site = fleet.sites[number_site(2).site_id]
    site.take(build_head(1), TWO, build_values(2), NOON)
    before = fleet.picture
    assert fleet.roll_up(later(NOON, 2_000)) == (site,)
    assert fleet.picture is not before
    assert [int(count) for count in fleet.picture.sites.added[2]] == [0, 2]


def test_a_site_that_moved_is_shown_in_its_new_place() -> None:
    fleet = LiveFleet({})
    fleet.take_inventory(number_site(1, "CN-SX"), build_inventory([0, 0]))
    fleet.take_inventory(number_site(1, "CN-SH"), build_inventory([0, 0]))
    fleet.roll_up(NOON)
    assert [place.region for place in fleet.picture.places] == ["CN-SH"]
