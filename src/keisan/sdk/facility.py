"""Records of facilities."""

from collections.abc import AsyncGenerator
from datetime import date
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.csv_file import CSV_TYPE
from keisan.wire.facility import FacilityView, FacilityWrite, UploadAnswer
from keisan.wire.page import Page


class AsyncFacilities:
    """Records of the facilities of sites within the key's scope, one for each site and day."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self, region: str | None = None, since: date | None = None, until: date | None = None
    ) -> AsyncGenerator[FacilityView, None]:
        """Iterate over records of a region (ISO 3166-2), or of all, and of the days from `since` to `until`."""
        return self._transport.walk(
            Page[FacilityView], "/facilities", {"region": region, "since": since, "until": until}
        )

    async def get(self, site_id: UUID) -> FacilityView:
        """Return the record of a site's last day; raises NotFound outside the key's scope, or without one."""
        return await self._transport.fetch(FacilityView, f"/sites/{site_id}/facility")

    async def record(self, site_id: UUID, body: FacilityWrite) -> FacilityView:
        """Record what was measured, and return what stands for that day; raises NotFound, InvalidInput."""
        return await self._transport.write(FacilityView, "PUT", f"/sites/{site_id}/facility", body)

    async def upload(self, content: bytes) -> UploadAnswer:
        """Hand in a table (CSV) of many sites and days; raises TableInvalid with every bad line, and then took none."""
        return await self._transport.upload(UploadAnswer, "/facilities/upload", content, CSV_TYPE)


class Facilities(Blocking[AsyncFacilities]):
    """Records of the facilities of sites within the key's scope, one for each site and day."""

    list = iterate(AsyncFacilities.list)
    get = wait_for(AsyncFacilities.get)
    record = wait_for(AsyncFacilities.record)
    upload = wait_for(AsyncFacilities.upload)
