"""Links of a platform to its parent and its children."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.federation_check import FederationCheckView
from keisan.wire.invitation import InvitationCreate, InvitationCreated
from keisan.wire.link_view import LinkApproval, LinkEnd, LinkJoin, LinkView
from keisan.wire.page import Page
from keisan.wire.resolution import ResolutionView


class AsyncLinks:
    """Links to neighbours, those that ended too."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[LinkView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[LinkView], "/links")

    async def get(self, link_id: UUID) -> LinkView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(LinkView, f"/links/{link_id}")

    async def check(self) -> FederationCheckView:
        """Check what must hold between platforms, asking each neighbour; what cannot be looked at is unknown, never held."""
        return await self._transport.fetch(FederationCheckView, "/links/check")

    async def invite(self, body: InvitationCreate) -> InvitationCreated:
        """Make an invitation for one platform to become a child; its token is in this answer and nowhere else."""
        return await self._transport.write(InvitationCreated, "POST", "/links/invitations", body)

    async def join(self, body: LinkJoin) -> LinkView:
        """Ask the platform that made an invitation to be its child; raises StateConflict where there is a parent already."""
        return await self._transport.write(LinkView, "POST", "/links", body)

    async def approve(self, link_id: UUID, body: LinkApproval) -> LinkView:
        """Take a platform in as a child; raises AlreadyExists for a region or prefix that another child has."""
        return await self._transport.write(LinkView, "POST", f"/links/{link_id}/approve", body)

    async def reject(self, link_id: UUID, body: LinkEnd) -> LinkView:
        """Refuse a platform that asked to join."""
        return await self._transport.write(LinkView, "POST", f"/links/{link_id}/reject", body)

    async def revoke(self, link_id: UUID, body: LinkEnd) -> LinkView:
        """Cut a neighbour off for good."""
        return await self._transport.write(LinkView, "POST", f"/links/{link_id}/revoke", body)

    async def leave(self, link_id: UUID) -> LinkView:
        """Leave the parent, step by step."""
        return await self._transport.write(LinkView, "POST", f"/links/{link_id}/leave")

    async def resolve(self, name: str) -> ResolutionView:
        """Return what a name stands for; raises InvalidInput for what is no name, NotFound where no record tells."""
        return await self._transport.fetch(ResolutionView, "/names", {"name": name})

    async def move(self, link_id: UUID, body: LinkJoin) -> LinkView:
        """Leave the parent for the one that made an invitation."""
        return await self._transport.write(LinkView, "POST", f"/links/{link_id}/move", body)


class Links(Blocking[AsyncLinks]):
    """Links to neighbours, those that ended too."""

    list = iterate(AsyncLinks.list)
    get = wait_for(AsyncLinks.get)
    check = wait_for(AsyncLinks.check)
    invite = wait_for(AsyncLinks.invite)
    join = wait_for(AsyncLinks.join)
    approve = wait_for(AsyncLinks.approve)
    reject = wait_for(AsyncLinks.reject)
    revoke = wait_for(AsyncLinks.revoke)
    leave = wait_for(AsyncLinks.leave)
    resolve = wait_for(AsyncLinks.resolve)
    move = wait_for(AsyncLinks.move)
