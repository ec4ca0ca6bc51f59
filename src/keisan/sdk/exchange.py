"""The five exchanges of joins: what platforms below this one have told, and what is missing."""

from keisan.sdk.blocking import Blocking, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.exchange import ExchangeList


class AsyncExchanges:
    """Exchanges with platforms below."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, platform_id: str | None = None) -> ExchangeList:
        """Return those of all platforms below, or of one; raises NotFound for one that is not below."""
        return await self._transport.fetch(ExchangeList, "/exchanges", {"platform_id": platform_id})


class Exchanges(Blocking[AsyncExchanges]):
    """Exchanges with platforms below."""

    list = wait_for(AsyncExchanges.list)
