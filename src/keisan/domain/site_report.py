"""That a platform reports a site as its own: since when, and since when it has proved devices of it. It settles who owns what.

A site or device that two platforms report is counted once, and belongs to whoever proved it first, as this platform saw it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from keisan.domain.ids import PlatformId, SiteId

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SiteReport:
    """Both instants are by this platform's clock, as it noticed: nobody can say that it was earlier. None: not verified yet."""

    site_id: SiteId
    reporter_id: PlatformId
    seen_at: datetime
    verified_at: datetime | None = None


def rank_report(report: SiteReport) -> tuple[datetime, datetime, str, str]:
    """Return by what reports are put in order: the lowest owns what others report too."""
    return (report.verified_at or _NEVER, report.seen_at, report.reporter_id, str(report.site_id))
