"""What is news of a site's devices: failures, silences and recoveries, and not the first hello."""

import numpy as np

from keisan.domain.sample import HEALTH_CODES
from keisan.domain.verdict import Verdict
from keisan.telemetry.change import NAMED_DEVICES_MAX, judge_site, list_device_changes
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import LiveSite, Moment
from tests.telemetry.fleet import NOON, PERIOD_MS, build_head, build_inventory, build_values, later, number_site

COUNT = 20
ALL = np.arange(COUNT, dtype=np.uint32)


def open_site() -> LiveSite:
    fleet = LiveFleet({})
    fleet.take_inventory(number_site(1), build_inventory([0] * COUNT))
    site = fleet.sites[number_site(1).site_id]
    site.roll_up(NOON.monotonic_ms)
    return site


def list_changes(site: LiveSite, now: Moment) -> list[tuple[Verdict, int]]:
    site.roll_up(now.monotonic_ms)
    return [(change.verdict, change.count) for change in list_device_changes(site)]


def send(site: LiveSite, sequence: int, numbers: np.ndarray, failed: int, now: Moment) -> None:
    health = np.full(len(numbers), HEALTH_CODES[Verdict.OK])
    health[:failed] = HEALTH_CODES[Verdict.FAILED]
    site.take(build_head(sequence, now.wall_ms), numbers, build_values(len(numbers), health=health), now)


def test_a_device_s_story() -> None:
    site, now = open_site(), NOON
    send(site, 1, ALL, 0, now)
    assert list_changes(site, now) == []
    send(site, 2, ALL, 12, now)
    assert list_changes(site, now) == [(Verdict.FAILED, 12)]
    [change] = list(list_device_changes(site))
    assert change.hardware_ids == tuple(f"device-{number}" for number in range(NAMED_DEVICES_MAX))
    send(site, 3, ALL, 2, now)
    assert list_changes(site, now) == [(Verdict.OK, 10)]
    # Five fall silent while the others go on.
    now = later(now, 3 * PERIOD_MS + 1)
    send(site, 4, ALL[:15], 2, now)
    assert list_changes(site, now) == [(Verdict.UNKNOWN, 5)]


def test_a_silent_site_is_one_change_and_not_thousands() -> None:
    site = open_site()
    send(site, 1, ALL, 0, NOON)
    list_changes(site, NOON)
    now = later(NOON, 3 * PERIOD_MS + 1)
    assert list_changes(site, now) == []
    assert judge_site(site) is Verdict.UNKNOWN


def test_a_site_whose_devices_all_failed_has_failed() -> None:
    site = open_site()
    send(site, 1, ALL, COUNT, NOON)
    site.roll_up(NOON.monotonic_ms)
    assert judge_site(site) is Verdict.FAILED
