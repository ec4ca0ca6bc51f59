"""Development of a region, or of the whole platform, over a month."""

from keisan.sdk.blocking import Blocking, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.development import DevelopmentView


class AsyncDevelopment:
    """Development over a month, for the platform's people."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, region: str | None = None, month: str | None = None) -> DevelopmentView:
        """Return all figures of a region (without one, of the whole platform) and a month (without one, of this).

        Raises PermissionDenied for anybody but the platform's own people, InvalidInput for a month that is none.
        """
        return await self._transport.fetch(DevelopmentView, "/development", {"region": region, "month": month})


class Development(Blocking[AsyncDevelopment]):
    """Development over a month, for the platform's people."""

    get = wait_for(AsyncDevelopment.get)
