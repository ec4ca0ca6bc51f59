"""Usage: what calls consumed, record by record and summed."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.archive import (
    CURRENT_HEADER,
    REACHED_HEADER,
    SEQUENCE_HEADER,
    AnalysisQuery,
    ArchiveReach,
    ExportQuery,
    UsageAnalysis,
)
from keisan.wire.page import Page
from keisan.wire.receipt import ReceiptView
from keisan.wire.usage import UsageQuery, UsageRecordView, UsageSummary

EVERYTHING = UsageQuery()


class AsyncUsage:
    """Usage within the key's scope; without a query, that of the last 30 days."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, query: UsageQuery = EVERYTHING) -> AsyncGenerator[UsageRecordView, None]:
        """Iterate over records, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[UsageRecordView], "/usage", query.model_dump())

    async def get(self, record_id: UUID) -> UsageRecordView:
        """Return one record; raises NotFound outside the key's scope."""
        return await self._transport.fetch(UsageRecordView, f"/usage/{record_id}")

    async def get_receipt(self, record_id: UUID) -> ReceiptView:
        """Return the proof of one record, for `verify_receipt`; raises NotFound outside the key's scope."""
        return await self._transport.fetch(ReceiptView, f"/usage/{record_id}/receipt")

    async def sum(self, query: UsageQuery = EVERYTHING) -> UsageSummary:
        """Return sums by model, currency and usage source; amounts in nano-units."""
        return await self._transport.fetch(UsageSummary, "/usage/summary", query.model_dump())

    async def analyse(self, query: AnalysisQuery) -> UsageAnalysis:
        """Return sums by any keys, of the archive: it says how far that reaches. Amounts in nano-units."""
        return await self._transport.fetch(UsageAnalysis, "/usage/analysis", query.model_dump())

    async def export(self, query: ExportQuery, write: Callable[[bytes], object]) -> ArchiveReach:
        """Write archived records as a file, piece by piece, and return how far they reach; `age_s` is not told.

        Raises PlatformUnreachable if it breaks off: what was written then is no whole file.
        """
        headers = await self._transport.download("/usage/export", query.model_dump(), write)
        reached_at = headers.get(REACHED_HEADER)
        return ArchiveReach(
            sequence=int(headers.get(SEQUENCE_HEADER, "0")),
            reached_at=datetime.fromisoformat(reached_at) if reached_at else None,
            is_current=headers.get(CURRENT_HEADER) == "true",
            age_s=0,
        )


class Usage(Blocking[AsyncUsage]):
    """Usage within the key's scope; without a query, that of the last 30 days."""

    list = iterate(AsyncUsage.list)
    get = wait_for(AsyncUsage.get)
    get_receipt = wait_for(AsyncUsage.get_receipt)
    sum = wait_for(AsyncUsage.sum)
    analyse = wait_for(AsyncUsage.analyse)
    export = wait_for(AsyncUsage.export)
