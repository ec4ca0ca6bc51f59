"""Records of a platform that suspense paid for."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.domain.suspense import SuspenseState
from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.suspense import SuspendedRecordView, SuspenseAnswer, SuspenseJudge


class AsyncSuspense:
    """Suspended records; only a platform's keys see any."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, state: SuspenseState | None = None) -> AsyncGenerator[SuspendedRecordView, None]:
        """Iterate over all, or those of one state, in order of record; pages are fetched as they are needed."""
        return self._transport.walk(Page[SuspendedRecordView], "/suspense", {"state": state})

    async def get(self, record_id: UUID) -> SuspendedRecordView:
        """Return one; raises NotFound if suspense did not pay for the record."""
        return await self._transport.fetch(SuspendedRecordView, f"/suspense/{record_id}")

    async def judge(self, record_id: UUID, body: SuspenseJudge) -> SuspenseAnswer:
        """Charge a record or write it off, once; the answer's outcome tells. Raises NotFound as get does."""
        return await self._transport.write(SuspenseAnswer, "POST", f"/suspense/{record_id}/judge", body)


class Suspense(Blocking[AsyncSuspense]):
    """Suspended records; only a platform's keys see any."""

    list = iterate(AsyncSuspense.list)
    get = wait_for(AsyncSuspense.get)
    judge = wait_for(AsyncSuspense.judge)
