"""Counting once: each device is one platform's, whoever reports it, in any order."""

from datetime import timedelta
from random import Random

import numpy as np

from keisan.domain.capacity import CapacityRow
from keisan.domain.ids import PlatformId, SiteId
from keisan.domain.site_report import SiteReport
from keisan.kit.ids import create_id
from keisan.telemetry.region_count import CountedOnce, Digests, ReportedSite, count_once, digest_device, read_digests
from tests.factories import NOW

A, B, C = (PlatformId(letter) for letter in "abc")


def digest(*names: str) -> Digests:
    return read_digests(b"".join(map(digest_device, names)))


def report(
    reporter: PlatformId, seen_s: int, proved_s: int | None, site_id: SiteId | None = None, **chips: str
) -> ReportedSite:
    verified_at = None if proved_s is None else NOW + timedelta(seconds=proved_s)
    site_report = SiteReport(site_id or SiteId(create_id()), reporter, NOW + timedelta(seconds=seen_s), verified_at)
    return ReportedSite(site_report, {chip.replace("_", "-"): digest(*names.split()) for chip, names in chips.items()})


def count_devices(counted: CountedOnce, site: ReportedSite) -> int:
    """Return how many devices of a site count, by its rows."""
    rows = [
        counted.count_row(site.key[0], CapacityRow("CN-SX", chip=chip, device_count=len(each), site_id=site.key[1]))
        for chip, each in site.digests.items()
    ]
    return sum(row.device_count or 0 for row in rows if row is not None)


def test_a_device_belongs_to_who_proved_it_first() -> None:
    early = report(A, 0, None, h20="1 2 3", h100="4")
    proved = report(B, 10, 20, h20="3 4 5")
    late = report(C, 5, 30, h20="5 1", h100="6")
    for sites in ([early, proved, late], [late, early, proved]):
        counted = count_once(sites)
        assert [count_devices(counted, site) for site in (early, proved, late)] == [1, 3, 2]
        shared = {each.reporter_id: (each.device_count, each.owner_ids, each.is_whole) for each in counted.shared}
        assert shared == {A: (3, (B, C), False), C: (1, (B,), False)}


def test_a_site_that_two_report_is_one_s_as_a_whole() -> None:
    site_id = SiteId(create_id())
    first, second = report(A, 0, None, site_id, h20="1 2"), report(B, 1, None, site_id, h20="3")
    counted = count_once([second, first])
    assert [count_devices(counted, site) for site in (first, second)] == [2, 0]
    [shared] = counted.shared
    assert (shared.reporter_id, shared.owner_ids, shared.device_count, shared.is_whole) == (B, (A,), 1, True)
    # Its device that nobody else has is not counted either: the site is not its reporter's.
    assert counted.losers == {second.key}


def test_without_anything_shared_nothing_is_kept_back() -> None:
    counted = count_once([report(A, 0, None, h20="1"), report(B, 0, None), report(C, 0, None, h20="2")])
    assert counted == CountedOnce()
    row = CapacityRow("CN-SX", chip="other", device_count=4)
    assert counted.count_row(A, row) is row
    assert count_once([]) == CountedOnce()


def test_as_many_are_counted_as_there_are() -> None:
    random = Random(7)  # a world, not a secret
    for _ in range(50):
        sites = [
            report(
                random.choice([A, B, C]),
                random.randrange(9),
                random.choice([None, random.randrange(9)]),
                h20=" ".join(str(each) for each in random.sample(range(40), 10)),
                h100=" ".join(str(each) for each in random.sample(range(40, 60), 5)),
            )
            for _ in range(6)
        ]
        there = {each for site in sites for chip in site.digests.values() for each in chip.tolist()}
        counted = count_once(sites)
        assert sum(count_devices(counted, site) for site in sites) == len(there)
        assert sum(each.device_count for each in counted.shared) == 6 * 15 - len(there)


def test_digests_are_read_as_they_are_written() -> None:
    found = digest("b", "a")
    assert found.dtype == np.uint64
    assert sorted(found.tolist()) == found.tolist()
    assert int.from_bytes(digest_device("a")) in found.tolist()
