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

DOOR_ROOT_BYTES = 32


@dataclass(frozen=True, slots=True)
class PlatformIdentity:
    """`signer` signs with the key; `door_root` is what the secrets of doors are made of, always the same for one key."""

    signer: KeySigner
    door_root: Secret

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
    # The key signs; what is shown to doors is made of something that is made of it and tells nothing of it.
    derivation = HKDF(SHA256(), length=DOOR_ROOT_BYTES, salt=None, info=b"keisan secrets of doors")
    door_root = derivation.derive(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    return PlatformIdentity(KeySigner(key), Secret(door_root.hex()))
