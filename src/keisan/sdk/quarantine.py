"""Records that a platform refused."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.domain.quarantine import QuarantineState
from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.quarantine import QuarantineAnswer, QuarantinedRecordView, QuarantineJudge


class AsyncQuarantine:
    """Quarantined records; only a platform's keys see any."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, state: QuarantineState | None = None) -> AsyncGenerator[QuarantinedRecordView, None]:
        """Iterate over all, or those of one state, in no order of time; pages are fetched as they are needed."""
        return self._transport.walk(Page[QuarantinedRecordView], "/quarantine", {"state": state})

    async def get(self, quarantined_id: UUID) -> QuarantinedRecordView:
        """Return one; raises NotFound."""
        return await self._transport.fetch(QuarantinedRecordView, f"/quarantine/{quarantined_id}")

    async def judge(self, quarantined_id: UUID, body: QuarantineJudge) -> QuarantineAnswer:
        """Hand a record in again or discard it, once; the answer's outcome tells. Raises NotFound."""
        return await self._transport.write(QuarantineAnswer, "POST", f"/quarantine/{quarantined_id}/judge", body)


class Quarantine(Blocking[AsyncQuarantine]):
    """Quarantined records; only a platform's keys see any."""

    list = iterate(AsyncQuarantine.list)
    get = wait_for(AsyncQuarantine.get)
    judge = wait_for(AsyncQuarantine.judge)
