"""The platform's Ed25519 identity: made at its first start, kept 0600, its public key the root of the platform's id."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from keisan.domain.errors import Failed
from keisan.kit.private_file import write_private_file


def ensure_public_key(path: Path) -> bytes:
    """Return the public key (32 raw bytes) of the identity at `path`, made if there is none.

    Raises Failed when the file holds no Ed25519 key: a new one would be another platform.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        fresh = Ed25519PrivateKey.generate()
        write_private_file(path, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return fresh.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    try:
        kept = load_pem_private_key(content, password=None)
    except ValueError as fault:
        raise Failed(f"the platform's identity in {path} is damaged; restore it from a copy", str(fault)) from fault
    if not isinstance(kept, Ed25519PrivateKey):
        raise Failed(f"the platform's identity in {path} is no Ed25519 key; restore it from a copy")
    return kept.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
