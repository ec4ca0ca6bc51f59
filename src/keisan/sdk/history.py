"""History of the fleet: what devices, and all above them, were from when until when."""

from collections.abc import Callable

from keisan.sdk.blocking import Blocking, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.history import HistoryFormat, HistoryQuery, HistoryRows

LAST_HOUR = HistoryQuery()


class AsyncHistory:
    """History of the sites within the key's scope; all methods raise PermissionDenied for people of organizations.

    Values are whole numbers in the units of a sample's fields: sums and counts, from which a mean is sum / count.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def query(self, query: HistoryQuery = LAST_HOUR) -> HistoryRows:
        """Return rows with what they are of: tier, steps, coverage and age.

        Raises InvalidInput for a query that makes no sense, LimitExceeded for more than 50,000 rows.
        """
        asked = query.model_copy(update={"format": HistoryFormat.JSON})
        return await self._transport.fetch(HistoryRows, "/telemetry/query", asked.model_dump(mode="json"))

    async def download(self, query: HistoryQuery, write: Callable[[bytes], object]) -> None:
        """Write the rows as an Arrow stream, piece by piece; its schema's metadata holds the rest as JSON under `keisan`.

        Raises as `query` does, and PlatformUnreachable if it breaks off: what was written then is no whole stream.
        """
        asked = query.model_copy(update={"format": HistoryFormat.ARROW})
        await self._transport.download("/telemetry/query", asked.model_dump(mode="json"), write)


class History(Blocking[AsyncHistory]):
    """History of the sites within the key's scope."""

    query = wait_for(AsyncHistory.query)
    download = wait_for(AsyncHistory.download)
