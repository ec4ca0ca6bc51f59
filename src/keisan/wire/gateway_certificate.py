"""What a gateway asks to be known by to other platforms' gateways, and what its platform gives it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from keisan.wire.base import WireInput, WireView

CERTIFICATE_CHARACTERS_MAX = 16 * 1024


class GatewayCertificateAsk(WireInput):
    """`public_key` (hex of 32 raw bytes of Ed25519) is of a key that never leaves the gateway; `certificate` (PEM) is what it has."""

    public_key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    certificate: Annotated[str, Field(max_length=CERTIFICATE_CHARACTERS_MAX)] = ""


class GatewayCertificateView(WireView):
    """`authorities` (PEM) are who may stand for other gateways, empty where those that the gateway has still hold.

    `parent_id` is the platform that issued it, None where there is no parent and it is this platform itself.
    """

    certificate: str
    authorities: str
    parent_id: str | None
    renew_at_ms: int
