"""Commands on sites: create."""

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.event import EventDraft
from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.site import Site
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.site import SiteCreate


async def create_site(control: Control, principal: Principal, body: SiteCreate) -> Site:
    """Create a site of a provider; its verdict is unknown until its agent speaks.

    Raises PermissionDenied, NotFound when the provider lies outside the asker's scope, AlreadyExists when the name is
    taken.
    """
    principal.require(Right.WRITE_SITES)
    async with control.storage.write() as transaction:
        provider = await transaction.providers.get(principal.scope, ProviderId(body.provider_id))
        site = build_site(control, provider.id, body.name, body.region)
        await insert_site(transaction, name_actor(principal), site)
    return site


def build_site(control: Control, provider_id: ProviderId, name: str, region: str) -> Site:
    """Return a new site that is not stored yet."""
    return Site(
        id=SiteId(create_id()),
        platform_id=control.platform_id,
        provider_id=provider_id,
        name=name,
        region=region,
        verdict=Verdict.UNKNOWN,
        reported_at=None,
        engines={},
        version=1,
        created_at=control.clock.now(),
    )


async def insert_site(transaction: Transaction, actor: str, site: Site) -> None:
    """Write a site and its event; raises AlreadyExists when the name is taken."""
    await transaction.sites.insert(site)
    detail = {"name": site.name, "provider_id": str(site.provider_id), "region": site.region}
    await transaction.events.append(EventDraft(actor, "site.created", site.id, detail))
