"""Organizations of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.organization import OrganizationCreate, OrganizationUpdate, OrganizationView
from keisan.wire.page import Page
from keisan.wire.top_up import TopUpCreate, TopUpView


class AsyncOrganizations:
    """Organizations within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[OrganizationView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[OrganizationView], "/organizations")

    async def get(self, organization_id: UUID) -> OrganizationView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(OrganizationView, f"/organizations/{organization_id}")

    async def create(self, body: OrganizationCreate) -> OrganizationView:
        """Create an organization; raises AlreadyExists if the name is taken."""
        return await self._transport.write(OrganizationView, "POST", "/organizations", body)

    async def rename(self, organization: OrganizationView, name: str) -> OrganizationView:
        """Rename what was seen; raises as update does."""
        return await self.update(organization, OrganizationUpdate(name=name))

    async def update(self, organization: OrganizationView, change: OrganizationUpdate) -> OrganizationView:
        """Change what was seen, in what the change names.

        Raises VersionMismatch if it has changed since, AlreadyExists if its name is taken, InvalidInput for a policy that
        can never match.
        """
        path = f"/organizations/{organization.id}"
        return await self._transport.write(OrganizationView, "PATCH", path, change, version=organization.version)

    async def top_up(self, organization_id: UUID, body: TopUpCreate) -> TopUpView:
        """Put money into a wallet, or propose it where that takes two people: its state tells.

        Raises NotFound without such an organization or record, InvalidInput for a credit note that does not say why.
        """
        return await self._transport.write(TopUpView, "POST", f"/organizations/{organization_id}/top-ups", body)


class Organizations(Blocking[AsyncOrganizations]):
    """Organizations within the key's scope."""

    list = iterate(AsyncOrganizations.list)
    get = wait_for(AsyncOrganizations.get)
    create = wait_for(AsyncOrganizations.create)
    rename = wait_for(AsyncOrganizations.rename)
    update = wait_for(AsyncOrganizations.update)
    top_up = wait_for(AsyncOrganizations.top_up)
