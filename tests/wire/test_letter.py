"""Letters: what was signed is carried byte for byte, whoever passes it on and whatever it holds."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import LetterId, hash_public_key
from keisan.domain.letter import Letter
from keisan.domain.limits import LETTER_BYTES_MAX, LETTER_NAME_CHARACTERS_MAX
from keisan.kit.ids import create_id
from keisan.kit.signature import KeySigner, is_signed_by
from keisan.wire.letter import LetterDraft, check_body, decode_letter, encode_letter, sign_letter

SIGNER = KeySigner(Ed25519PrivateKey.generate())
AUTHOR = hash_public_key(SIGNER.public_key)


def sign(**changes: object) -> Letter:
    given: dict[str, object] = {"id": LetterId(create_id()), "kind": "usage", "made_at_ms": 5, "body": b"{}", **changes}
    return sign_letter(LetterDraft(**given), AUTHOR, SIGNER)  # type: ignore[arg-type]  # drafts by name


def test_a_letter_is_read_back_whole_and_its_signature_holds() -> None:
    letter = sign(audience=AUTHOR, period="2026-11", name="", body=b"\x00\xff")
    read = decode_letter(encode_letter(letter))
    assert read == letter
    assert is_signed_by(read.public_key, read.content, read.signature)


def test_a_field_of_a_newer_platform_stays_signed() -> None:
    letter = sign()
    content = msgspec.msgpack.decode(letter.content) | {"colour": "green"}
    raw = msgspec.msgpack.encode(content)
    encoded = msgspec.msgpack.encode((raw, SIGNER.public_key, SIGNER.sign(raw)))
    read = decode_letter(encoded)
    assert (read.id, read.content) == (letter.id, raw)
    assert encode_letter(read) == encoded
    assert is_signed_by(read.public_key, read.content, read.signature)


def test_what_is_appended_around_what_was_signed_is_not_carried_on() -> None:
    letter = sign()
    encoded = msgspec.msgpack.encode((letter.content, letter.public_key, letter.signature, "for nobody"))
    read = decode_letter(encoded)
    assert read == letter
    assert encode_letter(read) == encode_letter(letter) != encoded


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x"},
        {"version": 1},
        {"name": "x", "version": -1},
        {"name": "x" * (LETTER_NAME_CHARACTERS_MAX + 1), "version": 1},
        {"kind": "k" * (LETTER_NAME_CHARACTERS_MAX + 1)},
        {"audience": "nobody"},
        {"name": "a\x00b", "version": 1},
        {"kind": "offer\x00"},
        {"period": "\x00"},
    ],
)
def test_what_is_no_letter_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        sign(**changes)


@pytest.mark.parametrize("encoded", [b"", b"\xc1", b"\x93\xc4\x01\x00\xc4\x00\xc4\x00", b"x" * (LETTER_BYTES_MAX + 1)])
def test_bytes_that_are_no_letter_are_refused(encoded: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_letter(encoded)


@pytest.mark.parametrize("body", [b'{"a":"\\u0000"}', b'{"a":"x\\\\\\u0000"}'])
def test_a_text_with_nul_is_refused_before_a_database_sees_it(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        check_body(body)


@pytest.mark.parametrize("body", [b'{"a":"\\\\u0000"}', b'{"a":"u0000"}', b"{}"])
def test_a_text_that_only_looks_like_nul_is_kept(body: bytes) -> None:
    check_body(body)
