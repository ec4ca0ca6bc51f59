"""Credit between platforms through the client."""

from keisan.sdk import AsyncKeisan, CreditSide
from tests.api.stage import Stage


async def test_platform_tickets_are_listed_with_their_bounds(stage: Stage, admin: AsyncKeisan) -> None:
    (ticket,) = [line async for line in admin.platform_tickets.list()]
    assert await admin.platform_tickets.get(ticket.id) == ticket
    assert (ticket.id, ticket.side) == (stage.ids["platform_ticket"], CreditSide.HOME)
    assert ticket.free_at > ticket.expires_at
