"""Ed25519: what signs, and the check of a signature."""

from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Signer(Protocol):
    """What signs in somebody's name."""

    @property
    def public_key(self) -> bytes:
        """Return the public key that verifies what it signs (32 raw bytes)."""
        ...

    def sign(self, content: bytes) -> bytes:
        """Return the signature of some bytes (64 bytes)."""
        ...


class KeySigner:
    """Signs with a key that this process holds."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, content: bytes) -> bytes:
        """Return the signature of some bytes (64 bytes)."""
        return self._key.sign(content)


def is_signed_by(public_key: bytes, content: bytes, signature: bytes) -> bool:
    """Tell whether a signature of these bytes was made with the key of a public key (32 raw bytes)."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
