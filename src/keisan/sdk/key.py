"""Keys of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.key import KeyCreate, KeyCreated, KeyRevoked, KeyUpdate, KeyView
from keisan.wire.page import Page


class AsyncKeys:
    """Keys within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[KeyView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[KeyView], "/keys")

    async def get(self, key_id: UUID) -> KeyView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(KeyView, f"/keys/{key_id}")

    async def create(self, body: KeyCreate) -> KeyCreated:
        """Create a key; its secret is in this answer and nowhere else. Raises PermissionDenied for one wider than yours."""
        return await self._transport.write(KeyCreated, "POST", "/keys", body)

    async def update(self, key: KeyView, change: KeyUpdate) -> KeyView:
        """Change the bounds and the policy of a key, in what the change names.

        Raises VersionMismatch if it has changed since it was seen, PermissionDenied for one wider than yours, StateConflict
        for a revoked one, InvalidInput for a policy that can never match.
        """
        return await self._transport.write(KeyView, "PATCH", f"/keys/{key.id}", change, version=key.version)

    async def revoke(self, key_id: UUID) -> KeyRevoked:
        """Revoke a key for good; wait_for_gateways tells when it acts."""
        return await self._transport.write(KeyRevoked, "POST", f"/keys/{key_id}/revoke")


class Keys(Blocking[AsyncKeys]):
    """Keys within the key's scope."""

    list = iterate(AsyncKeys.list)
    get = wait_for(AsyncKeys.get)
    create = wait_for(AsyncKeys.create)
    update = wait_for(AsyncKeys.update)
    revoke = wait_for(AsyncKeys.revoke)
