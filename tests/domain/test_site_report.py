"""Whose a site is that several report: whoever proved it first, else whoever was seen first."""

from datetime import timedelta

from keisan.domain.ids import PlatformId, SiteId
from keisan.domain.site_report import SiteReport, rank_report
from keisan.kit.ids import create_id
from tests.factories import NOW

SITE = SiteId(create_id())


def test_proof_goes_before_age_and_age_before_the_id() -> None:
    later, latest = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    reports = [
        SiteReport(SITE, PlatformId("c"), latest, latest),
        SiteReport(SITE, PlatformId("b"), NOW),
        SiteReport(SITE, PlatformId("d"), later),
        SiteReport(SITE, PlatformId("a"), later),
    ]
    for given in (reports, reports[::-1]):
        assert sorted(given, key=rank_report) == [reports[0], reports[1], reports[3], reports[2]]
