"""What a child asks its parent, and what it is told, as bodies of letters: both are signed, so the way they go is not trusted.

One of a pair of letters: a child joins, looks whether it was approved, renews, or leaves. Unknown fields are passed over.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import Field

from keisan.domain.errors import InvalidInput
from keisan.domain.letter import Letter
from keisan.domain.limits import LETTER_BYTES_MAX
from keisan.wire.base import WireInput, WireView
from keisan.wire.name import KeyChainBody

ASK_KIND = "link_ask"
TOLD_KIND = "link_told"
LINK_ASK_PATH = "/api/v1/links/ask"


class AskStep(StrEnum):
    """What a child wants. Each may be asked again and again, and has its effect once."""

    JOIN = "join"
    RENEW = "renew"
    LEAVE = "leave"
    LEFT = "left"
    CERTIFY = "certify"


class LinkAskBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`epoch` is the lowest that the child takes, above all that it ever had. `proof` is prove_invitation's, for a join.

    `gateway_key` is the public key (32 raw bytes) of a gateway that is to have a certificate in the child's name.
    """

    step: str
    title: str
    kind: str
    keys: KeyChainBody
    link_key: bytes
    epoch: int
    invitation_id: UUID | None = None
    proof: bytes = b""
    gateway_key: bytes = b""


class LinkToldBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`answers` is the id of the letter that asked. What was issued is in the certificate, by `ca`; both empty before.

    `gateway_certificate` is what was issued for `gateway_key`, and `gateway_ca` by whom this platform's own gateways are certified.
    """

    answers: UUID
    state: str
    title: str
    kind: str
    keys: KeyChainBody
    now_ms: int
    epoch: int = 0
    certificate: str = ""
    ca: str = ""
    reviewer: str = ""
    link_url: str = ""
    gateway_certificate: str = ""
    gateway_ca: str = ""


# As base64, which takes a third more.
LetterText = Annotated[str, Field(max_length=LETTER_BYTES_MAX * 4 // 3 + 4)]


class LinkAsk(WireInput):
    """A letter that asks (base64 of its bytes)."""

    letter: LetterText


class LinkTold(WireView):
    """The letter that answers (base64 of its bytes)."""

    letter: LetterText


_encode = msgspec.json.Encoder().encode
_read_ask = msgspec.json.Decoder(LinkAskBody).decode
_read_told = msgspec.json.Decoder(LinkToldBody).decode


def encode_body(body: LinkAskBody | LinkToldBody) -> bytes:
    """Return the body of a letter."""
    return _encode(body)


def read_ask_body(letter: Letter) -> LinkAskBody:
    """Return what a letter asks; raises InvalidInput for what is no question of a child."""
    try:
        return _read_ask(letter.body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not what a child asks its parent", "letter.body", str(fault)) from fault


def read_told_body(letter: Letter) -> LinkToldBody:
    """Return what a letter tells; raises InvalidInput for what is no answer of a parent."""
    try:
        return _read_told(letter.body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not what a parent tells its child", "letter.body", str(fault)) from fault
