"""Statements of a platform."""

from collections.abc import AsyncGenerator, Callable
from uuid import UUID

from keisan.domain.closing import ClosingState
from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.statement import (
    ClosingView,
    PreviewQuery,
    SignedStatement,
    StatementClose,
    StatementDetail,
    StatementRecordView,
    StatementView,
)

CLOSING_POLL_S = 0.5
OnChange = Callable[[ClosingView], None]


class AsyncStatements:
    """Statements within the key's scope: an organization's own, a provider's own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[StatementView, None]:
        """Iterate over closed ones, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[StatementView], "/statements")

    async def get(self, statement_id: UUID) -> StatementDetail:
        """Return a closed one with its lines; raises NotFound outside the key's scope."""
        return await self._transport.fetch(StatementDetail, f"/statements/{statement_id}")

    async def preview(self, query: PreviewQuery) -> StatementDetail:
        """Return an open one, computed now; raises NotFound for a holder outside the key's scope."""
        return await self._transport.fetch(StatementDetail, "/statements/preview", query.model_dump())

    async def get_signed(self, statement_id: UUID) -> SignedStatement:
        """Return the signed document; raises as get does."""
        return await self._transport.fetch(SignedStatement, f"/statements/{statement_id}.json")

    async def get_csv(self, statement_id: UUID) -> bytes:
        """Return the statement as CSV; raises as get does."""
        return await self._transport.fetch_bytes(f"/statements/{statement_id}.csv")

    async def get_html(self, statement_id: UUID) -> bytes:
        """Return the statement as a page that prints; raises as get does."""
        return await self._transport.fetch_bytes(f"/statements/{statement_id}.html")

    def list_records(self, statement_id: UUID) -> AsyncGenerator[StatementRecordView, None]:
        """Iterate over the records of a closed one in order of id: what its root stands above. Raises as get does."""
        return self._transport.walk(Page[StatementRecordView], f"/statements/{statement_id}/records")

    async def close(self, body: StatementClose) -> ClosingView:
        """Have a month closed, and return at once; wait_closed tells when it is. Raises StateConflict while records are awaited."""
        return await self._transport.write(ClosingView, "POST", "/statements/close", body)

    def list_closings(self) -> AsyncGenerator[ClosingView, None]:
        """Iterate over closings that were asked for, oldest first; only a platform's keys see any."""
        return self._transport.walk(Page[ClosingView], "/statements/closings")

    async def get_closing(self, closing_id: UUID) -> ClosingView:
        """Return how far a closing has come; raises NotFound for keys that are not a platform's."""
        return await self._transport.fetch(ClosingView, f"/statements/closings/{closing_id}")

    async def wait_closed(self, closing_id: UUID, on_change: OnChange | None = None) -> ClosingView:
        """Return once a closing is done, however long it takes; `on_change` is told whenever it has moved."""
        told: ClosingView | None = None
        while True:
            closing = await self.get_closing(closing_id)
            if on_change is not None and closing != told:
                on_change(closing)
            if closing.state is ClosingState.DONE:
                return closing
            told = closing
            await self._transport.clock.sleep(CLOSING_POLL_S)


class Statements(Blocking[AsyncStatements]):
    """Statements within the key's scope: an organization's own, a provider's own."""

    list = iterate(AsyncStatements.list)
    get = wait_for(AsyncStatements.get)
    preview = wait_for(AsyncStatements.preview)
    get_signed = wait_for(AsyncStatements.get_signed)
    get_csv = wait_for(AsyncStatements.get_csv)
    get_html = wait_for(AsyncStatements.get_html)
    list_records = iterate(AsyncStatements.list_records)
    close = wait_for(AsyncStatements.close)
    list_closings = iterate(AsyncStatements.list_closings)
    get_closing = wait_for(AsyncStatements.get_closing)
    wait_closed = wait_for(AsyncStatements.wait_closed)
