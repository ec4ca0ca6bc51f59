"""Credit of the national platform's organizations in provinces with a model, so that their calls can be served there."""

from keisan.daemon.nation import Nation, NationPlatform
from keisan.domain.errors import Unavailable
from keisan.domain.platform_ticket import CreditSide, PlatformTicketState
from keisan.sdk import AdmissionCreate, AsyncKeisan, OrganizationView, TopUpCreate
from keisan.wire.admission import PlatformTicketView

CURRENCY = "CNY"
WALLET_NANO = 1_000_000_000_000
LEASED_NANO_MAX = 100_000_000_000
LEASE_S_MAX = 60.0
LOOK_S = 0.5


async def lease_credit(nation: Nation) -> None:
    """Admit the national platform's organizations wherever a model is, and return once credit is leased there.

    Done once; raises Unavailable if a province's gateways have no credit of theirs in time.
    """
    async with nation.national.open_as_operator() as keisan:
        names = set(nation.national.plan.organizations)
        owners = [each async for each in keisan.organizations.list() if each.name in names]
        places = [await read_id(each) for each in nation.platforms[1:] if each.plan.has_model]
        for owner in owners:
            await admit_everywhere(keisan, owner, places)
        wanted = {(owner.id, place) for owner in owners for place in places}
        end_s = nation.clock.monotonic_s() + LEASE_S_MAX
        while lacking := wanted - {
            (ticket.organization_id, ticket.counterparty_id) for ticket in await _list_leased(keisan)
        }:
            if nation.clock.monotonic_s() > end_s:
                raise Unavailable(f"after {LEASE_S_MAX:g} s credit is still to be leased at {len(lacking)} places")
            await nation.clock.sleep(LOOK_S)


async def read_id(platform: NationPlatform) -> str:
    """Return a platform's id as its API tells it."""
    async with platform.open_as_operator() as keisan:
        return (await keisan.platform.get()).id


async def admit_everywhere(keisan: AsyncKeisan, owner: OrganizationView, places: list[str]) -> None:
    """Admit an organization at these platforms unless it is, with money in its wallet from the first time on."""
    admissions = [each async for each in keisan.admissions.list() if each.organization_id == owner.id]
    admitted = {each.counterparty_id for each in admissions if each.ended_at is None}
    if not admissions:
        await keisan.organizations.top_up(owner.id, TopUpCreate(amount_nano=WALLET_NANO, currency=CURRENCY))
    for place in places:
        if place not in admitted:
            body = AdmissionCreate(
                organization_id=owner.id, platform_id=place, currency=CURRENCY, credit_nano_max=LEASED_NANO_MAX
            )
            await keisan.admissions.admit(body)


async def _list_leased(keisan: AsyncKeisan) -> list[PlatformTicketView]:
    return [
        ticket
        async for ticket in keisan.platform_tickets.list()
        if (ticket.side, ticket.state) == (CreditSide.HOME, PlatformTicketState.OPEN) and ticket.left_nano > 0
    ]
