"""Sites: a silent site becomes unknown, and so do its replicas; nothing is deleted or moved (DESIGN D5)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.errors import NotFound
from keisan.domain.event import EventDraft
from keisan.domain.ids import SiteId
from keisan.domain.replica import Replica
from keisan.domain.site import Site, judge_site
from keisan.domain.snapshot import SnapshotTable
from keisan.domain.verdict import Verdict
from keisan.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site and its replicas."""

    site: Site
    replicas: tuple[Replica, ...]


@dataclass(frozen=True, slots=True)
class SiteChange:
    """The site and replicas to write, None and empty if all stays."""

    site: Site | None
    replicas: tuple[Replica, ...]


@dataclass(frozen=True, slots=True)
class SiteReconciler:
    """`silence_s` without a report makes a site unknown; `listening_since` is when this platform process began to listen."""

    silence_s: float
    listening_since: datetime

    async def load(self, transaction: Transaction, noun_id: UUID) -> SiteState | None:
        """Return the site with its replicas, None if there is no such site."""
        scope = PlatformScope()
        try:
            site = await transaction.sites.get(scope, SiteId(noun_id))
        except NotFound:
            return None
        return SiteState(site, tuple(await transaction.replicas.list_site(scope, site.id)))

    def decide(self, state: SiteState, now: datetime) -> SiteChange:
        """Turn a silent site and its replicas unknown. The way back to ok is the site's next report, not time."""
        verdict = judge_site(state.site, now, self.silence_s, self.listening_since)
        if verdict is Verdict.OK or state.site.verdict is Verdict.UNKNOWN:
            return SiteChange(None, ())
        site = replace(state.site, verdict=Verdict.UNKNOWN, version=state.site.version + 1)
        replicas = tuple(
            replace(replica, verdict=Verdict.UNKNOWN, version=replica.version + 1)
            for replica in state.replicas
            if replica.verdict is Verdict.OK
        )
        return SiteChange(site, replicas)

    async def apply(self, transaction: Transaction, change: SiteChange, now: datetime) -> datetime | None:
        """Write the verdicts and look again within a third of the silence."""
        if change.site is not None:
            await transaction.sites.update(change.site)
            await transaction.events.append(
                EventDraft("control", "site.unknown", change.site.id, {"name": change.site.name})
            )
            for replica in change.replicas:
                await transaction.replicas.update(replica)
            await transaction.snapshot.touch(SnapshotTable.REPLICAS, [replica.id for replica in change.replicas])
        return now + timedelta(seconds=self.silence_s / 3)
