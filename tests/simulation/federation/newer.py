"""A platform of a later release: its messages and letters have fields, kinds and places that this release does not know."""

import random

import msgspec

from keisan.domain.letter import Letter
from keisan.kit.signature import Signer
from keisan.wire.letter import decode_letter

UNKNOWN_KIND = "foresight"
_decode, _encode = msgspec.msgpack.Decoder().decode, msgspec.msgpack.Encoder().encode
EXTRA = {"since": 7, "parts": [1, "two", None]}


def widen_message(data: bytes, chance: random.Random) -> list[bytes]:
    """Return what a later release says instead of a message: with a field more, a minor version more, or a message before it."""
    kind, body = _decode(data)
    if kind == "hello":
        body["minor"] += chance.randint(1, 2)
    if chance.random() < 0.5:
        body["foreseen"] = EXTRA
    said = [_encode((kind, body, EXTRA) if chance.random() < 0.2 else (kind, body))]
    if kind != "hello" and chance.random() < 0.2:
        said.insert(0, _encode((UNKNOWN_KIND, EXTRA)))
    return said


def sign_wider(letter: Letter, signer: Signer) -> Letter:
    """Return a letter as a later release signs it: the same, and a field of which this release knows nothing."""
    content = _encode({**_decode(letter.content), "foreseen": EXTRA})
    return decode_letter(_encode((content, signer.public_key, signer.sign(content))))


class NewerSigner:
    """The same signer, in a platform of a later release."""

    def __init__(self, signer: Signer) -> None:
        self.public_key = signer.public_key
        self.sign = signer.sign
