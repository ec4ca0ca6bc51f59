"""Signatures: of exactly these bytes, by exactly this key."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from keisan.kit.signature import KeySigner, is_signed_by

# Source: RFC 8032, section 7.1, test 2.
SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_known_signature() -> None:
    signer = KeySigner(Ed25519PrivateKey.from_private_bytes(SECRET))
    assert signer.public_key == PUBLIC
    assert signer.sign(b"\x72") == SIGNATURE
    assert is_signed_by(PUBLIC, b"\x72", SIGNATURE)


@given(st.integers(0, 511))
def test_any_other_bit_is_no_signature(bit: int) -> None:
    changed = (int.from_bytes(SIGNATURE) ^ 1 << bit).to_bytes(64)
    assert not is_signed_by(PUBLIC, b"\x72", changed)


def test_other_content_key_or_length_is_refused() -> None:
    other = KeySigner(Ed25519PrivateKey.generate()).public_key
    assert not is_signed_by(PUBLIC, b"\x73", SIGNATURE)
    assert not is_signed_by(other, b"\x72", SIGNATURE)
    assert not is_signed_by(b"short", b"\x72", SIGNATURE)
    assert not is_signed_by(PUBLIC, b"\x72", b"")
