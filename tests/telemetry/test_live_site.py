"""One site, live: who is heard, what a frame changes, and what it never does."""

import numpy as np

from keisan.domain.frame import FrameFault, FrameOutcome
from keisan.domain.inventory import digest_devices
from keisan.domain.roll_up import CountName
from keisan.domain.sample import DEAR_EVERY_MAX, FIELD_INDEX, HEALTH_CODES, MISSING, SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.change import list_device_changes
from keisan.telemetry.device_note import NO_NOTES, DeviceNotes
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import LiveSite, Moment
from keisan.telemetry.reading import DeviceFilter, count_chips, read_devices
from keisan.wire.frame import Numbers
from tests.telemetry.fleet import (
    NOMINAL_GFLOPS,
    NOON,
    PERIOD_MS,
    build_head,
    build_inventory,
    build_values,
    later,
    number_site,
)
from tests.telemetry.site_model import SiteModel, read_group

FOUR = np.arange(4, dtype=np.uint32)


def open_site(fleet: LiveFleet | None = None) -> LiveSite:
    fleet = fleet or LiveFleet(NOMINAL_GFLOPS)
    fleet.take_inventory(number_site(1), build_inventory([0, 0, 1, 1], [0, 0]))
    return fleet.sites[number_site(1).site_id]


def count(site: LiveSite, now: Moment) -> dict[CountName, int]:
    site.roll_up(now.monotonic_ms)
    return dict(site.whole.get_counts(0))


def test_devices_are_unknown_until_heard_and_again_after_three_periods() -> None:
    site = open_site()
    assert count(site, NOON)[CountName.UNKNOWN] == 4
    site.take(build_head(1), FOUR, build_values(4), NOON)
    assert count(site, NOON)[CountName.OK] == 4
    assert count(site, later(NOON, 3 * PERIOD_MS))[CountName.OK] == 4
    after = count(site, later(NOON, 3 * PERIOD_MS + 1))
    assert (after[CountName.OK], after[CountName.UNKNOWN], after[CountName.DEVICES]) == (0, 4, 4)
    # What was known stays readable with its time, but is in no sum.
    assert site.whole.get_sums(0)[SampleName.UTILIZATION_PERMILLE].devices == 0
    assert site.whole.get_proven_ms(0) == NOON.monotonic_ms


def test_a_reading_s_age_counts_and_a_clock_that_is_behind_makes_nothing_fresher() -> None:
    site = open_site()
    values = build_values(4, age_ms=np.array([0, PERIOD_MS, 2 * PERIOD_MS, 3 * PERIOD_MS + 1], np.int32))
    site.take(build_head(1), FOUR, values, NOON)
    assert count(site, NOON)[CountName.OK] == 3
    # Stamped a minute ago: devices that were fresh by then are silent now.
    site.take(build_head(2, NOON.wall_ms - 60_000), FOUR, build_values(4), NOON)
    assert count(site, NOON)[CountName.UNKNOWN] == 4
    assert site.clock_offset_ms == 60_000
    # Stamped ahead: heard now, not later.
    site.take(build_head(3, NOON.wall_ms + 5_000), FOUR, build_values(4), NOON)
    assert site.whole is not None
    assert count(site, later(NOON, 3 * PERIOD_MS + 1))[CountName.UNKNOWN] == 4


def test_late_and_repeated_frames_change_nothing_that_is_live() -> None:
    site = open_site()
    site.take(build_head(5), FOUR, build_values(4, utilization_permille=500), NOON)
    before = site.columns.values.copy()
    late = site.take(build_head(4), FOUR, build_values(4, utilization_permille=1), NOON)
    again = site.take(build_head(5), FOUR, build_values(4, utilization_permille=2), NOON)
    assert (late, again) == (FrameOutcome.LATE, FrameOutcome.DUPLICATE)
    assert np.array_equal(site.columns.values, before)
    assert site.counts.outcomes == {FrameOutcome.LIVE: 1, FrameOutcome.LATE: 1, FrameOutcome.DUPLICATE: 1}


def test_a_frame_of_an_agent_whose_numbers_stand_for_others_changes_nothing_and_is_counted() -> None:
    fleet = LiveFleet(NOMINAL_GFLOPS)
    site = open_site(fleet)
    ours = [f"device-{number}" for number in range(4)]
    head = build_head(1, device_count=4, device_digest=digest_devices(ours))
    assert site.find_refusal(head, FOUR, NOON) is None
    # A disk was put back: another device got the last number. So did its inventory's version.
    for theirs in ([*ours[:3], "x"], [*ours[:3], "x", "y"]):
        numbers = np.arange(len(theirs), dtype=np.uint32)
        told = build_head(1, device_count=len(theirs), device_digest=digest_devices(theirs))
        refusal = site.find_refusal(told, numbers, NOON)
        assert refusal is not None
        assert refusal.fault is FrameFault.OTHER_DEVICES
    assert site.counts.faults[FrameFault.OTHER_DEVICES] == 2
    # As the inventory grows, frames of before still mean what they meant.
    fleet.take_inventory(number_site(1), build_inventory([0, 0, 1, 1, 2], [0, 0, 0], version=2))
    assert site.find_refusal(head, FOUR, NOON) is None


def test_a_refused_frame_is_counted_and_changes_nothing() -> None:
    site = open_site()
    refusal = site.find_refusal(build_head(1, period_ms=1), FOUR, NOON)
    assert refusal is not None
    assert site.counts.faults[refusal.fault] == 1
    assert count(site, NOON)[CountName.UNKNOWN] == 4


def test_dear_fields_keep_their_last_value_and_cheap_ones_do_not() -> None:
    site = open_site()
    site.take(build_head(1), FOUR, build_values(4, ecc_corrected_count=7, clock_mhz=900), NOON)
    site.take(build_head(2), FOUR, build_values(4, ecc_corrected_count=np.array([MISSING, 8, MISSING, 9])), NOON)
    site.take(build_head(3), FOUR, build_values(4), NOON)
    assert site.columns.values[FIELD_INDEX[SampleName.ECC_CORRECTED_COUNT]].tolist() == [7, 8, 7, 9]
    assert set(site.columns.values[FIELD_INDEX[SampleName.CLOCK_MHZ]].tolist()) == {MISSING}


def test_a_frame_of_some_devices_leaves_the_others_alone() -> None:
    site = open_site()
    site.take(build_head(1), FOUR, build_values(4, clock_mhz=1), NOON)
    site.take(build_head(2), np.array([1, 3], np.uint32), build_values(2, clock_mhz=np.array([5, 6])), NOON)
    site.take(build_head(3), np.array([2], np.uint32), build_values(1, clock_mhz=9), NOON)
    assert site.columns.values[FIELD_INDEX[SampleName.CLOCK_MHZ]].tolist() == [1, 5, 9, 6]
    assert site.take(build_head(4), FOUR[:0], build_values(0), NOON) is FrameOutcome.LIVE


def test_links_that_are_up_are_known_between_the_frames_that_tell_them() -> None:
    site = open_site()
    site.take(build_head(1), FOUR, build_values(4, link_up_count=18), NOON)
    site.take(build_head(2), FOUR, build_values(4), NOON)
    assert site.columns.values[FIELD_INDEX[SampleName.LINK_UP_COUNT]].tolist() == [18] * 4


def test_wrong_values_are_counted_and_in_no_sum() -> None:
    site = open_site()
    site.take(build_head(1), FOUR, build_values(4, utilization_permille=np.array([100, 1001, -5, 300])), NOON)
    count(site, NOON)
    found = site.whole.get_sums(0)[SampleName.UTILIZATION_PERMILLE]
    assert (found.total, found.devices, site.counts.values_refused) == (400, 2, 2)


def test_a_grown_inventory_keeps_what_is_known_and_another_incarnation_nothing() -> None:
    fleet = LiveFleet(NOMINAL_GFLOPS)
    site = open_site(fleet)
    site.take(build_head(9), FOUR, build_values(4, clock_mhz=3), NOON)
    site.note_devices(DeviceNotes(frozenset({"device-2"})))
    grown = build_inventory([0, 0, 1, 1, 2], [0, 0, 0], retired=[True, False, False, False, False], version=2)
    fleet.take_inventory(number_site(1), grown)
    found = count(site, NOON)
    assert (found[CountName.DEVICES], found[CountName.OK], found[CountName.UNKNOWN]) == (4, 3, 1)
    assert found[CountName.CORDONED] == 1
    assert site.take(build_head(9), FOUR, build_values(4), NOON) is FrameOutcome.DUPLICATE
    fleet.take_inventory(number_site(1), build_inventory([0, 0], incarnation="second"))
    assert count(site, NOON)[CountName.UNKNOWN] == 2
    assert site.take(build_head(1, incarnation="second"), FOUR[:2], build_values(2), NOON) is FrameOutcome.LIVE


def test_failed_and_untold_health() -> None:
    site = open_site()
    health = np.array([HEALTH_CODES[Verdict.FAILED], MISSING, HEALTH_CODES[Verdict.UNKNOWN], HEALTH_CODES[Verdict.OK]])
    site.take(build_head(1), FOUR, build_values(4, health=health), NOON)
    found = count(site, NOON)
    assert (found[CountName.FAILED], found[CountName.UNKNOWN], found[CountName.OK]) == (1, 2, 1)
    # A row that tells nothing reports nothing.
    assert found[CountName.REPORTING] == 2


def test_a_device_that_was_not_read_reports_nothing_and_keeps_when_it_last_did() -> None:
    site = open_site()
    site.take(build_head(1), FOUR, build_values(4, power_milliwatts=5, ecc_corrected_count=1), NOON)
    assert count(site, NOON)[CountName.REPORTING] == 4
    soon = later(NOON, PERIOD_MS)
    unread = HEALTH_CODES[Verdict.UNKNOWN]
    values = build_values(4, health=np.array([0, unread, MISSING, unread]), age_ms=0)
    values[FIELD_INDEX[SampleName.POWER_MILLIWATTS], [0, 3]] = 7
    site.take(build_head(2, soon.wall_ms), FOUR, values, soon)
    found = count(site, soon)
    # The last has no verdict and yet was read; the one before was told nothing of, and counts as it was until it is silent.
    assert (found[CountName.REPORTING], found[CountName.OK], found[CountName.UNKNOWN]) == (3, 2, 2)
    assert site.whole.get_sums(0)[SampleName.POWER_MILLIWATTS].total == 7 + 5 + 7
    assert site.whole.get_sums(0)[SampleName.ECC_CORRECTED_COUNT].devices == 3
    assert (site.columns.proven_ms - NOON.monotonic_ms).tolist() == [PERIOD_MS, 0, 0, PERIOD_MS]


def test_a_row_that_tells_nothing_is_no_row() -> None:
    site = open_site()
    site.take(build_head(1), FOUR, build_values(4, power_milliwatts=5), NOON)
    kept: list[list[int]] = []
    now = NOON

    def keep(_place: object, _head: object, numbers: Numbers, _values: object) -> bool:
        kept.append(numbers.tolist())
        return True

    for period in range(1, 5):
        now = later(NOON, period * PERIOD_MS)
        health = np.array([0, MISSING, MISSING, 0])
        site.take(build_head(1 + period, now.wall_ms), FOUR, build_values(4, health=health), now, keep)
    # History has no sample of it, and after three periods nobody knows how it is.
    assert kept == [[0, 3]] * 4
    assert count(site, later(NOON, 3 * PERIOD_MS))[CountName.OK] == 4
    assert count(site, later(NOON, 3 * PERIOD_MS + 1))[CountName.OK] == 2
    empty = np.full((len(SampleName), 4), MISSING, np.int32)
    assert site.take(build_head(9, now.wall_ms), FOUR, empty, now, keep) is FrameOutcome.LIVE
    assert len(kept) == 4


def test_dear_values_are_forgotten_after_three_of_their_own_periods() -> None:
    site, now = open_site(), NOON
    last_ms = 3 * DEAR_EVERY_MAX * PERIOD_MS
    site.take(build_head(1), FOUR, build_values(4, ecc_corrected_count=7), now)
    site.take(build_head(2), FOUR[:1], build_values(1, ecc_corrected_count=9, age_ms=1000), now)

    def add_up(at: Moment) -> tuple[int, int]:
        site.roll_up(at.monotonic_ms)
        found = site.whole.get_sums(0)[SampleName.ECC_CORRECTED_COUNT]
        return found.total, found.devices

    assert add_up(now) == (30, 4)
    now = later(NOON, last_ms - 1000)
    site.take(build_head(3, now.wall_ms), FOUR, build_values(4, clock_mhz=1), now)
    assert add_up(now) == (30, 4)
    # Its reading was a second older than its frame.
    assert add_up(later(NOON, last_ms - 999)) == (21, 3)
    # Without a frame, too, and for whoever reads the devices.
    assert add_up(later(NOON, last_ms)) == (21, 3)
    assert add_up(later(NOON, last_ms + 1)) == (0, 0)
    assert set(site.columns.values[FIELD_INDEX[SampleName.ECC_CORRECTED_COUNT]].tolist()) == {MISSING}
    now = later(NOON, last_ms + 2)
    site.take(build_head(4, now.wall_ms), FOUR[2:], build_values(2, ecc_corrected_count=8), now)
    assert add_up(now) == (16, 2)


def test_nothing_is_added_up_while_nothing_changed() -> None:
    site = open_site()
    site.take(build_head(1), FOUR, build_values(4), NOON)
    assert site.roll_up(NOON.monotonic_ms)
    assert not site.roll_up(NOON.monotonic_ms + 1)
    assert not site.roll_up(NOON.monotonic_ms + 3 * PERIOD_MS)
    assert site.roll_up(NOON.monotonic_ms + 3 * PERIOD_MS + 1)
    assert not site.roll_up(NOON.monotonic_ms + 9 * PERIOD_MS)


def test_closed_and_measured_devices_are_counted_as_soon_as_they_are_noted() -> None:
    site = open_site()
    site.take(build_head(1), FOUR, build_values(4), NOON)
    site.roll_up(NOON.monotonic_ms)
    site.note_devices(DeviceNotes(frozenset({"device-0", "elsewhere"}), {"device-2": 5, "device-3": 7}))
    assert site.roll_up(NOON.monotonic_ms)
    counts = site.whole.get_counts(0)
    assert counts[CountName.CORDONED] == 1
    assert (counts[CountName.MEASURED_GFLOPS], counts[CountName.MEASURED_DEVICES]) == (12, 2)
    # Said again it is no change; taken back it is one.
    site.note_devices(DeviceNotes(frozenset({"device-0"}), {"device-2": 5, "device-3": 7}))
    assert not site.roll_up(NOON.monotonic_ms)
    site.note_devices(NO_NOTES)
    assert site.roll_up(NOON.monotonic_ms)
    assert site.whole.get_counts(0)[CountName.CORDONED] == 0
    site.note_devices(NO_NOTES)
    assert not site.roll_up(NOON.monotonic_ms)


def test_a_reading_older_than_can_be_told_is_no_fresh_one() -> None:
    site = open_site()
    site.take(build_head(1), FOUR, build_values(4, age_ms=np.array([0, 3_600_001, 2**31 - 1, MISSING])), NOON)
    site.roll_up(NOON.monotonic_ms)
    assert [list(Verdict)[code] for code in site.verdicts] == [Verdict.OK, Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.OK]


def test_between_an_inventory_and_the_next_roll_up_no_group_has_another_s_sums() -> None:
    fleet = LiveFleet(NOMINAL_GFLOPS)
    site = open_site(fleet)
    site.take(build_head(1), FOUR, build_values(4), NOON)
    site.note_devices(DeviceNotes(frozenset(), {"device-0": 5}))
    site.roll_up(NOON.monotonic_ms)
    fleet.take_inventory(number_site(1), build_inventory([0, 0, 1, 1, 2], [0, 0, 0], version=2))
    assert (site.nodes.group_count, site.supernodes.group_count) == (0, 0)
    assert [list(Verdict)[code] for code in site.verdicts] == [Verdict.OK] * 4 + [Verdict.UNKNOWN]
    site.roll_up(NOON.monotonic_ms)
    assert site.whole.get_counts(0)[CountName.MEASURED_GFLOPS] == 5


def test_a_supernode_has_its_devices_alone_and_not_all_of_their_node() -> None:
    # Device 0 is the processor of node 0, and node 1 has devices of two supernodes.
    inventory = build_inventory([0, 0, 0, 1, 1, 1], [0, 1])
    inventory.supernode[:] = [-1, 0, 0, 1, 1, 0]
    fleet = LiveFleet(NOMINAL_GFLOPS)
    fleet.take_inventory(number_site(1), inventory)
    site = fleet.sites[number_site(1).site_id]
    model, values = SiteModel(site), build_values(6, power_milliwatts=[1, 2, 4, 8, 16, 32])
    for each in (model, site):
        each.take(build_head(1), np.arange(6, dtype=np.uint32), values, NOON)
    fleet.roll_up(NOON)
    assert site.supernodes.group_count == 2
    first, second = ({1, 2, 5}, {3, 4})
    assert read_group(site.supernodes, 0) == model.recount(NOON.monotonic_ms, first.__contains__)
    assert read_group(site.supernodes, 1) == model.recount(NOON.monotonic_ms, second.__contains__)
    assert read_group(site.whole, 0) == model.recount(NOON.monotonic_ms, lambda _: True)


def test_what_is_retired_counts_as_nothing_and_is_no_news() -> None:
    fleet = LiveFleet(NOMINAL_GFLOPS)
    site = open_site(fleet)
    site.take(build_head(1), FOUR, build_values(4, health=HEALTH_CODES[Verdict.FAILED]), NOON)
    assert count(site, NOON)[CountName.FAILED] == 4
    site.note_devices(DeviceNotes(retired=frozenset({"device-0", "elsewhere"})))
    found = count(site, NOON)
    assert (found[CountName.DEVICES], found[CountName.REPORTING], found[CountName.FAILED]) == (3, 3, 3)
    assert list(list_device_changes(site)) == []
    assert [device.hardware_id for device in read_devices(site, DeviceFilter(0, 9), NOON)[0]] == [
        "device-1",
        "device-2",
        "device-3",
    ]
    assert sum(each.devices for each in count_chips(fleet, None)) == 3
    # Seen well again it is still not counted; an inventory's own word holds beside what people say.
    site.take(build_head(2), FOUR, build_values(4), NOON)
    assert count(site, NOON)[CountName.OK] == 3
    site.note_devices(DeviceNotes(retired=frozenset({"device-0"})))
    assert not site.is_changed
    site.columns.inventory.is_retired[3] = True
    site.note_devices(DeviceNotes(retired=frozenset()))
    assert count(site, NOON)[CountName.DEVICES] == 3
    assert count(site, NOON)[CountName.OK] == 3
