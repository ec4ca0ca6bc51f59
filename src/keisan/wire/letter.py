"""Letters as bytes: msgpack, so that what was signed is carried as it is, with fields that only a newer platform knows.

An encoded letter is the array [content, public key, signature]. What a newer platform appends to that array nobody signed: it
is passed over, and not carried on.
"""

import re
from dataclasses import dataclass
from uuid import UUID

import msgspec

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import LetterId, PlatformId, parse_platform_id
from keisan.domain.letter import Letter
from keisan.domain.limits import LETTER_BYTES_MAX, LETTER_NAME_CHARACTERS_MAX
from keisan.kit.signature import Signer

VERSION_MAX = 2**63 - 1
# As JSON writes it; after an even number of backslashes, for two of them are one that is meant.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class _Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is signed. `body` is what the kind says, JSON unless it says otherwise."""

    id: UUID
    kind: str
    author: str
    audience: str | None = None
    period: str = ""
    name: str = ""
    version: int = 0
    is_deleted: bool = False
    made_at_ms: int
    body: bytes = b""


class _Encoded(msgspec.Struct, frozen=True, array_like=True, gc=False):
    content: bytes
    public_key: bytes
    signature: bytes


_read_content = msgspec.msgpack.Decoder(_Content).decode
_read_encoded = msgspec.msgpack.Decoder(_Encoded).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class LetterDraft:
    """A letter before it is signed; see Letter."""

    id: LetterId
    kind: str
    made_at_ms: int
    audience: PlatformId | None = None
    period: str = ""
    name: str = ""
    version: int = 0
    is_deleted: bool = False
    body: bytes = b""


def sign_letter(draft: LetterDraft, author: PlatformId, signer: Signer) -> Letter:
    """Return the letter signed in a platform's name."""
    content = _encode(
        _Content(
            id=draft.id,
            kind=draft.kind,
            author=author,
            audience=draft.audience,
            period=draft.period,
            name=draft.name,
            version=draft.version,
            is_deleted=draft.is_deleted,
            made_at_ms=draft.made_at_ms,
            body=draft.body,
        )
    )
    return _build_letter(_Encoded(content, signer.public_key, signer.sign(content)))


def encode_letter(letter: Letter) -> bytes:
    """Return a letter as bytes, with the content exactly as it was signed."""
    return _encode(_Encoded(letter.content, letter.public_key, letter.signature))


def decode_letter(encoded: bytes) -> Letter:
    """Return a letter from bytes; its signature and its author are not checked here.

    Raises InvalidInput for what is no letter, too long, or names no platform.
    """
    if len(encoded) > LETTER_BYTES_MAX:
        raise InvalidInput(f"a letter has at most {LETTER_BYTES_MAX} bytes, got {len(encoded)}", "letter")
    try:
        return _build_letter(_read_encoded(encoded))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not a letter", "letter", str(fault)) from fault


def check_body(body: bytes) -> None:
    """Raise InvalidInput for a body with a NUL in one of its texts: PostgreSQL keeps none, and would end the whole transaction."""
    if b"u0000" in body and _NUL.search(body):
        raise InvalidInput("a text in this letter holds NUL, which no database keeps", "letter.body")


def _build_letter(encoded: _Encoded) -> Letter:
    content = _read_content(encoded.content)
    if not 0 <= content.version <= VERSION_MAX or bool(content.name) != bool(content.version):
        raise InvalidInput(
            "a letter with a name has a version of at least 1, and one without has none", "letter.version"
        )
    if len(content.name) > LETTER_NAME_CHARACTERS_MAX or len(content.kind) > LETTER_NAME_CHARACTERS_MAX:
        raise InvalidInput(f"names in letters have at most {LETTER_NAME_CHARACTERS_MAX} characters", "letter.name")
    if "\x00" in content.name or "\x00" in content.kind or "\x00" in content.period:
        raise InvalidInput(
            "a letter's name, kind and period are texts without NUL, which no database keeps", "letter.name"
        )
    return Letter(
        id=LetterId(content.id),
        kind=content.kind,
        author=parse_platform_id(content.author),
        audience=None if content.audience is None else parse_platform_id(content.audience),
        period=content.period,
        name=content.name,
        version=content.version,
        is_deleted=content.is_deleted,
        made_at_ms=content.made_at_ms,
        body=content.body,
        content=encoded.content,
        public_key=encoded.public_key,
        signature=encoded.signature,
    )
