"""The platform's identity: made once, private, and never silently another."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from keisan.daemon.platform_identity import DOOR_ROOT_BYTES, ensure_identity
from keisan.domain.errors import Failed
from keisan.domain.ids import PUBLIC_KEY_BYTES


def test_identity_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    identity = ensure_identity(path)
    assert len(identity.public_key) == PUBLIC_KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_identity(path).public_key == identity.public_key
    assert ensure_identity(tmp_path / "other.pem").public_key != identity.public_key


def test_root_of_doors_secrets_comes_back_with_the_key_and_is_not_the_key(tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    root = ensure_identity(path).door_root.reveal()
    assert ensure_identity(path).door_root.reveal() == root
    assert len(root) == 2 * DOOR_ROOT_BYTES
    assert ensure_identity(tmp_path / "other.pem").door_root.reveal() != root
    key = load_pem_private_key(path.read_bytes(), password=None)
    assert root != key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex()


def test_damaged_or_foreign_key_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"-----BEGIN PRIVATE KEY-----\n", other):
        path.write_bytes(content)
        with pytest.raises(Failed, match="restore it from a copy"):
            ensure_identity(path)
        assert path.read_bytes() == content
