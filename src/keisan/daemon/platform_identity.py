"""The platform's Ed25519 identity: made at its first start, kept 0600, its public key the root of the platform's id."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from keisan.domain.errors import Failed
from keisan.domain.key import Secret
from keisan.kit.private_file import write_private_file
from keisan.kit.signature import KeySigner

ROOT_BYTES = 32


@dataclass(frozen=True, slots=True)
class PlatformIdentity:
    """`signer` signs with the key; the roots are what secrets of doors and webhooks are made of, always the same for one key."""

    signer: KeySigner
    door_root: Secret
    webhook_root: Secret

    @property
    def public_key(self) -> bytes:
        """Return the public half of the key."""
        return self.signer.public_key


def ensure_identity(path: Path) -> PlatformIdentity:
    """Return the identity at `path`, made if there is none.

    Raises Failed when the file holds no Ed25519 key: a new one would be another platform.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        fresh = Ed25519PrivateKey.generate()
        write_private_file(path, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return _describe(fresh)
    try:
        kept = load_pem_private_key(content, password=None)
    except ValueError as fault:
        raise Failed(f"the platform's identity in {path} is damaged; restore it from a copy", str(fault)) from fault
    if not isinstance(kept, Ed25519PrivateKey):
        raise Failed(f"the platform's identity in {path} is no Ed25519 key; restore it from a copy")
    return _describe(kept)


def _describe(key: Ed25519PrivateKey) -> PlatformIdentity:
    return PlatformIdentity(
        signer=KeySigner(key),
        door_root=_derive_root(key, b"keisan secrets of doors"),
        webhook_root=_derive_root(key, b"keisan secrets of webhooks"),
    )


def _derive_root(key: Ed25519PrivateKey, purpose: bytes) -> Secret:
    """Return a root for one purpose: the key signs, and what others are shown is made of what tells nothing of it."""
    derivation = HKDF(SHA256(), length=ROOT_BYTES, salt=None, info=purpose)
    return Secret(derivation.derive(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())).hex())
