"""What others told of their regions, as it counts now."""

from dataclasses import replace
from datetime import timedelta

from keisan.domain.ids import PlatformId
from keisan.domain.roll_up import CountName
from keisan.domain.verdict import Verdict
from keisan.telemetry.region import Hearing, RegionBook, ToldRegion
from tests.domain.test_roll_up import ROLL_UP
from tests.factories import NOW
from tests.telemetry.fleet import NOON, later

HEARD = Hearing(NOON.monotonic_ms, NOW)


def test_a_region_is_unknown_once_its_teller_is_silent_for_fifteen_seconds() -> None:
    book = RegionBook()
    book.replace([ToldRegion(PlatformId("b"), "north", ROLL_UP, HEARD)])
    for after_ms, is_heard in ((0, True), (15_000, True), (15_001, False)):
        [found] = book.list_rollups(later(NOON, after_ms))
        [source] = found.sources
        assert (source.is_heard, source.heard_at, source.device_count) == (is_heard, NOW, 10)
        assert found.verdict is source.verdict is (Verdict.OK if is_heard else Verdict.UNKNOWN)
        assert found.counts[CountName.DEVICES] == 10


def test_what_was_heard_by_another_process_is_not_heard() -> None:
    book = RegionBook()
    told = ToldRegion(PlatformId("b"), "north", ROLL_UP, Hearing(None, NOW + timedelta(days=1)))
    book.replace([replace(told, platform_id=PlatformId("c")), told])
    found = book.list_rollups(NOON)
    assert [each.sources[0].platform_id for each in found] == ["b", "c"]
    assert {each.verdict for each in found} == {Verdict.UNKNOWN}
