"""The platform's Ed25519 identity: made at its first start, kept 0600, its public key the root of the platform's id.

Later keys lie beside it, oldest first, in a file of their own: who loses one keeps the id, by the rotation that the one before signs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
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
from keisan.domain.ids import hash_public_key
from keisan.domain.key import Secret
from keisan.domain.key_chain import KeyChain, Rotation, build_rotation_content, check_key_chain
from keisan.federation.identity import LinkIdentity
from keisan.kit.private_file import write_private_file
from keisan.kit.signature import KeySigner, is_signed_by

ROOT_BYTES = 32
_PEM_END = b"-----END PRIVATE KEY-----\n"


@dataclass(frozen=True, slots=True)
class PlatformIdentity:
    """`signer` signs with the first key; the roots are what secrets of doors and webhooks are made of, always the same for it.

    `link` is what the platform is to others, by its newest key, and `link_key` the key of its connections with them, made of that.
    """

    signer: KeySigner
    door_root: Secret
    webhook_root: Secret
    link: LinkIdentity
    link_key: Ed25519PrivateKey = field(repr=False)

    @property
    def public_key(self) -> bytes:
        """Return the public half of the key."""
        return self.signer.public_key


def ensure_identity(path: Path) -> PlatformIdentity:
    """Return the identity at `path`, made if there is none.

    Raises Failed when the file holds no Ed25519 key: a new one would be another platform.
    """
    if not path.exists():
        write_private_file(path, _encode(Ed25519PrivateKey.generate()))
    return read_identity(path)


def read_identity(path: Path) -> PlatformIdentity:
    """Return the identity at `path`; raises Failed where there is none, or it is damaged."""
    return _describe(_read_all(path))


def rotate_identity(path: Path) -> KeyChain:
    """Add a newer key to the identity at `path`, and return all public keys; the platform speaks with it from its next start on.

    Raises Failed where there is no identity, or it is damaged.
    """
    keys = [*_read_all(path), Ed25519PrivateKey.generate()]
    chain = build_chain(keys)
    check_key_chain(chain, chain.platform_id, is_signed_by)
    write_private_file(_name_later(path), b"".join(_encode(key) for key in keys[1:]))
    return chain


def build_chain(keys: Sequence[Ed25519PrivateKey]) -> KeyChain:
    """Return the public keys, each vouched for by the one before: the same signatures each time, as Ed25519 makes them."""
    signers = [KeySigner(key) for key in keys]
    first = signers[0].public_key
    platform_id = hash_public_key(first)
    rotations = tuple(
        Rotation(number, after.public_key, before.sign(build_rotation_content(platform_id, number, after.public_key)))
        for number, (before, after) in enumerate(pairwise(signers), start=1)
    )
    return KeyChain(first, rotations)


def _name_later(path: Path) -> Path:
    return path.with_name(f"{path.stem}_later{path.suffix}")


def _read_all(path: Path) -> list[Ed25519PrivateKey]:
    if not path.exists():
        raise Failed(f"there is no platform's identity in {path}")
    later = _name_later(path)
    return _read_keys(path)[:1] + (_read_keys(later) if later.exists() else [])


def _read_keys(path: Path) -> list[Ed25519PrivateKey]:
    """Return the keys of a file of one or several, oldest first; raises Failed for a file that holds something else."""
    pieces = [piece + _PEM_END for piece in path.read_bytes().split(_PEM_END)[:-1]]
    if not pieces:
        raise Failed(f"the platform's identity in {path} is damaged; restore it from a copy")
    return [_read_key(path, piece) for piece in pieces]


def _read_key(path: Path, content: bytes) -> Ed25519PrivateKey:
    try:
        kept = load_pem_private_key(content, password=None)
    except ValueError as fault:
        raise Failed(f"the platform's identity in {path} is damaged; restore it from a copy", str(fault)) from fault
    if not isinstance(kept, Ed25519PrivateKey):
        raise Failed(f"the platform's identity in {path} is no Ed25519 key; restore it from a copy")
    return kept


def _encode(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _describe(keys: Sequence[Ed25519PrivateKey]) -> PlatformIdentity:
    key, newest = keys[0], keys[-1]
    link_key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(_derive_root(newest, b"keisan connections").reveal()))
    link = LinkIdentity(build_chain(keys), KeySigner(newest), KeySigner(link_key).public_key)
    return PlatformIdentity(
        link=link,
        link_key=link_key,
        signer=KeySigner(key),
        door_root=_derive_root(key, b"keisan secrets of doors"),
        webhook_root=_derive_root(key, b"keisan secrets of webhooks"),
    )


def _derive_root(key: Ed25519PrivateKey, purpose: bytes) -> Secret:
    """Return a root for one purpose: the key signs, and what others are shown is made of what tells nothing of it."""
    derivation = HKDF(SHA256(), length=ROOT_BYTES, salt=None, info=purpose)
    return Secret(derivation.derive(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())).hex())
