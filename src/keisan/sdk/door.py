"""Doors of a platform's sites."""

from uuid import UUID

from keisan.sdk.blocking import Blocking, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.door import DoorView


class AsyncDoors:
    """Doors of the sites within the key's scope, by their sites' ids."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, site_id: UUID) -> DoorView:
        """Return a site's door; raises NotFound outside the key's scope, and for a site that never had one."""
        return await self._transport.fetch(DoorView, f"/sites/{site_id}/door")

    async def rotate(self, site_id: UUID) -> DoorView:
        """Have the secret of a site's door replaced; wait_for_door tells when the old one opens nothing any more.

        Raises NotFound as get does, StateConflict for a door that is closed, PermissionDenied.
        """
        return await self._transport.write(DoorView, "POST", f"/sites/{site_id}/door/rotate")


class Doors(Blocking[AsyncDoors]):
    """Doors of the sites within the key's scope, by their sites' ids."""

    get = wait_for(AsyncDoors.get)
    rotate = wait_for(AsyncDoors.rotate)
