"""Where organizations of a platform are admitted."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.admission import AdmissionCreate, AdmissionView
from keisan.wire.page import Page


class AsyncAdmissions:
    """Admissions within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[AdmissionView, None]:
        """Iterate over all, ended ones too, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[AdmissionView], "/admissions")

    async def get(self, admission_id: UUID) -> AdmissionView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(AdmissionView, f"/admissions/{admission_id}")

    async def admit(self, body: AdmissionCreate) -> AdmissionView:
        """Admit an organization at another platform; raises AlreadyExists where it is already."""
        return await self._transport.write(AdmissionView, "POST", "/admissions", body)

    async def end(self, admission: AdmissionView) -> AdmissionView:
        """End what was seen: keys are revoked there, credit comes back by signed return. Raises VersionMismatch."""
        path = f"/admissions/{admission.id}"
        return await self._transport.write(AdmissionView, "DELETE", path, version=admission.version)


class Admissions(Blocking[AsyncAdmissions]):
    """Admissions within the key's scope."""

    list = iterate(AsyncAdmissions.list)
    get = wait_for(AsyncAdmissions.get)
    admit = wait_for(AsyncAdmissions.admit)
    end = wait_for(AsyncAdmissions.end)
