"""Invitations on the wire: what an admin proposes, and the one token that the other platform's admin is handed."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import Field, StringConstraints

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import InvitationId, PlatformId, parse_platform_id
from keisan.domain.key import Secret, digest_secret
from keisan.domain.limits import INVITATION_LIFE_S, INVITATION_LIFE_S_MAX
from keisan.domain.platform import PlatformKind
from keisan.wire.base import Region, SecretText, WireInput, WireView

TOKEN_PREFIX = "kf-keisan-"
TOKEN_CHARACTERS_MAX = 4096
ParentUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$", max_length=2048)]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$")]


class InvitationCreate(WireInput):
    """What is proposed to whoever reviews; `url` is where the child reaches this platform's API."""

    url: ParentUrl
    kind: PlatformKind | None = None
    region: Region | None = None
    prefix: Label | None = None
    life_s: Annotated[int, Field(ge=60, le=INVITATION_LIFE_S_MAX)] = INVITATION_LIFE_S


class InvitationCreated(WireView):
    """`token` is shown this once."""

    id: UUID
    token: SecretText
    platform_id: str
    expires_at: datetime


class _TokenBody(msgspec.Struct, frozen=True):
    url: str
    platform_id: str
    invitation_id: UUID
    secret: str


@dataclass(frozen=True, slots=True)
class InvitationToken:
    """What a token holds: where the parent is, who it is, whatever answers there, and the secret."""

    url: str
    platform_id: PlatformId
    invitation_id: InvitationId
    secret: Secret


def encode_token(token: InvitationToken) -> Secret:
    """Return a token as one word to hand on."""
    body = _TokenBody(token.url, token.platform_id, token.invitation_id, token.secret.reveal())
    return Secret(TOKEN_PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(body)).decode().rstrip("="))


def decode_token(text: Secret) -> InvitationToken:
    """Return what a token holds; raises InvalidInput for what is none."""
    word = text.reveal().strip()
    encoded = word.removeprefix(TOKEN_PREFIX)
    if encoded == word or len(word) > TOKEN_CHARACTERS_MAX:
        raise InvalidInput(f"an invitation begins with {TOKEN_PREFIX}", "token")
    try:
        content = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        body = msgspec.json.decode(content, type=_TokenBody)
    except (binascii.Error, msgspec.MsgspecError, UnicodeError, ValueError) as fault:
        # Nothing of it is told: it holds a secret.
        raise InvalidInput("this invitation is damaged: copy it whole", "token") from fault
    return InvitationToken(
        body.url, parse_platform_id(body.platform_id), InvitationId(body.invitation_id), Secret(body.secret)
    )


def prove_invitation(digest: str, child: PlatformId, parent: PlatformId) -> bytes:
    """Return what proves that a child holds an invitation's secret, made of the secret's digest: the secret never travels."""
    return hmac.digest(bytes.fromhex(digest), f"{child} joins {parent}".encode(), hashlib.sha256)


def digest_token(token: InvitationToken) -> str:
    """Return the digest of a token's secret, which the parent keeps."""
    return digest_secret(token.secret)
