"""Bodies of the registers that say who is who: PLATFORM (a platform of itself), NAME (a platform of what it issued) and REVOCATION.

Read with msgspec, since every platform of the tree reads those of all. Unknown fields are passed over: the letter keeps them.
"""

from typing import Final

import msgspec

from keisan.domain.errors import InvalidInput
from keisan.domain.key_chain import KeyChain, Rotation
from keisan.domain.letter import Letter

# A platform writes one PLATFORM and one REVOCATION register, by these names; a NAME register is called as what it names.
PLATFORM_REGISTER: Final = "platform"
REVOCATION_REGISTER: Final = "revocations"


class RotationBody(msgspec.Struct, frozen=True, gc=False):
    """See domain.key_chain.Rotation."""

    number: int
    public_key: bytes
    signature: bytes


class KeyChainBody(msgspec.Struct, frozen=True, gc=False):
    """See domain.key_chain.KeyChain."""

    first_key: bytes
    rotations: tuple[RotationBody, ...] = ()


class PlatformBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a platform says of itself: its keys, and who its parent is, by which epoch it is that, with the parent's own keys.

    `region` is a code of ISO 3166-2, empty for an industry platform, and with `prefix` as its parent issued them.
    """

    title: str
    kind: str
    keys: KeyChainBody
    parent_id: str | None = None
    parent_keys: KeyChainBody | None = None
    epoch: int = 0
    region: str = ""
    prefix: str = ""
    # Where its gateways may be dialled by platforms that are not its parent, empty if nowhere.
    gateway_address: str = ""


class NameBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What its author says of a name. Called by a bare prefix: which platform it issued that to, with region, epoch and keys.

    Called by a full name: what of its own it calls so (`target_id`). `forward_to` is where to look instead: what was called so
    is called otherwise now, or the platform with this prefix has another one (at `platform_id`).
    """

    platform_id: str
    target_id: str = ""
    title: str = ""
    kind: str = ""
    region: str = ""
    epoch: int = 0
    keys: KeyChainBody | None = None
    forward_to: str = ""


class RevokedBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A platform that may speak no more, or one key of it alone."""

    platform_id: str
    public_key: bytes = b""
    revoked_at_ms: int
    reason: str = ""


class RevocationBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All that a platform has revoked among those below it, as of `proved_at_ms`: written anew while nothing changes, too."""

    proved_at_ms: int
    revoked: tuple[RevokedBody, ...] = ()


_encode = msgspec.json.Encoder().encode
_read_platform = msgspec.json.Decoder(PlatformBody).decode
_read_name = msgspec.json.Decoder(NameBody).decode
_read_revocation = msgspec.json.Decoder(RevocationBody).decode


def encode_body(body: PlatformBody | NameBody | RevocationBody) -> bytes:
    """Return the body of a letter."""
    return _encode(body)


def read_platform_body(letter: Letter) -> PlatformBody:
    """Return what a PLATFORM letter says; raises InvalidInput for what is none."""
    return parse_platform_body(letter.body)


def parse_platform_body(content: bytes) -> PlatformBody:
    """Return what the body of a PLATFORM letter says; raises InvalidInput for what is none."""
    try:
        return _read_platform(content)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not what a platform says of itself", "letter.body", str(fault)) from fault


def read_name_body(letter: Letter) -> NameBody:
    """Return what a NAME letter says; raises InvalidInput for what is none."""
    return parse_name_body(letter.body)


def parse_name_body(content: bytes) -> NameBody:
    """Return what the body of a NAME letter says; raises InvalidInput for what is none."""
    try:
        return _read_name(content)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not what is said of a name", "letter.body", str(fault)) from fault


def read_revocation_body(letter: Letter) -> RevocationBody:
    """Return what a REVOCATION letter says; raises InvalidInput for what is none."""
    try:
        return _read_revocation(letter.body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not a list of revocations", "letter.body", str(fault)) from fault


def encode_key_chain(chain: KeyChain) -> KeyChainBody:
    """Return a platform's keys for a body."""
    rotations = tuple(RotationBody(each.number, each.public_key, each.signature) for each in chain.rotations)
    return KeyChainBody(chain.first_key, rotations)


def decode_key_chain(body: KeyChainBody) -> KeyChain:
    """Return a platform's keys from a body; whether each vouches for the next is not checked here."""
    return KeyChain(
        body.first_key, tuple(Rotation(each.number, each.public_key, each.signature) for each in body.rotations)
    )
