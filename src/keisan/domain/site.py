"""A site: a compute facility with one executor and one agent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keisan.domain.engine import EngineProfile
from keisan.domain.ids import PlatformId, ProviderId, SiteId
from keisan.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Site:
    """`region` is an ISO 3166-2 code; `reported_at` is when its agent last spoke, None before the first time.

    `engines` are those its agent can start, by name.
    """

    id: SiteId
    platform_id: PlatformId
    provider_id: ProviderId
    name: str
    region: str
    engines: Mapping[str, EngineProfile]
    verdict: Verdict
    reported_at: datetime | None
    version: int
    created_at: datetime


def judge_site(site: Site, now: datetime, silence_s: float, listening_since: datetime) -> Verdict:
    """Return the verdict on a site at `now`.

    A site that spoke within `silence_s` is ok, else unknown. The platform cannot have heard anything before it began
    to listen, so silence is counted from `listening_since` at the earliest.
    """
    if site.reported_at is None:
        return Verdict.UNKNOWN
    heard_at = max(site.reported_at, listening_since)
    is_silent = (now - heard_at).total_seconds() > silence_s
    return Verdict.UNKNOWN if is_silent else Verdict.OK
