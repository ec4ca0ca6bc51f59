"""Claims: what owners say that their sites have."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.claim import ClaimView, ClaimWrite
from keisan.wire.csv_file import CSV_TYPE
from keisan.wire.facility import UploadAnswer
from keisan.wire.page import Page


class AsyncClaims:
    """Claims of the sites within the key's scope, one for each site and chip."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[ClaimView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[ClaimView], "/claims")

    async def get(self, claim_id: UUID) -> ClaimView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(ClaimView, f"/claims/{claim_id}")

    async def make(self, site_id: UUID, body: ClaimWrite) -> ClaimView:
        """Claim what a site has of a chip, in place of what was claimed of it before; raises NotFound."""
        return await self._transport.write(ClaimView, "PUT", f"/sites/{site_id}/claims", body)

    async def withdraw(self, claim: ClaimView) -> ClaimView:
        """Delete a claim as it was seen; raises VersionMismatch if it has changed since."""
        return await self._transport.write(ClaimView, "DELETE", f"/claims/{claim.id}", version=claim.version)

    async def upload(self, content: bytes) -> UploadAnswer:
        """Hand in a table (CSV) of many claims; raises TableInvalid with every bad line, and then took none."""
        return await self._transport.upload(UploadAnswer, "/claims/upload", content, CSV_TYPE)


class Claims(Blocking[AsyncClaims]):
    """Claims of the sites within the key's scope, one for each site and chip."""

    list = iterate(AsyncClaims.list)
    get = wait_for(AsyncClaims.get)
    make = wait_for(AsyncClaims.make)
    withdraw = wait_for(AsyncClaims.withdraw)
    upload = wait_for(AsyncClaims.upload)
