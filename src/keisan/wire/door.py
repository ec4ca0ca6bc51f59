"""Doors on the wire: what a site's agent tells of its door, what it is to let in, and what people see."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.door import DoorStage
from keisan.domain.limits import DOOR_CERTIFICATES_CHARACTERS_MAX, DOOR_SECRETS_MAX
from keisan.wire.base import WireInput, WireView
from keisan.wire.machine import Digest

# A name or an address as it stands in a URL, where nothing can follow it but the port.
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,253}$|^[0-9A-Fa-f:.]{2,45}$")]
Certificates = Annotated[str, Field(pattern=r"^[\x09\x0a\x0d\x20-\x7e]*$", max_length=DOOR_CERTIFICATES_CHARACTERS_MAX)]
Digests = Annotated[tuple[Digest, ...], Field(max_length=DOOR_SECRETS_MAX)]


class DoorReport(WireInput):
    """Where a site's door answers, which certificates (PEM) to trust there, and whom its file lets in now."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    is_tls: bool
    certificates: Certificates = ""
    digests: Digests = ()


class DoorOrder(WireView):
    """Whom a door is to let in: the digests of the secrets in force, and no other's."""

    digests: Digests


class DoorView(WireView):
    """A site's door as the API shows it; `is_told`: gateways reach the site through it, and by no other way.

    While `is_rotating`, a secret other than the one that gateways show opens it, or is to.
    """

    id: UUID
    platform_id: str
    host: str | None
    port: int | None
    is_tls: bool | None
    stage: DoorStage
    is_told: bool
    is_rotating: bool
    version: int
    created_at: datetime
