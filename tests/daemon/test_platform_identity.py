"""The platform's identity: made once, private, and never silently another."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keisan.daemon.platform_identity import ensure_public_key
from keisan.domain.errors import Failed
from keisan.domain.ids import PUBLIC_KEY_BYTES


def test_identity_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    public_key = ensure_public_key(path)
    assert len(public_key) == PUBLIC_KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_public_key(path) == public_key
    assert ensure_public_key(tmp_path / "other.pem") != public_key


def test_damaged_or_foreign_key_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"-----BEGIN PRIVATE KEY-----\n", other):
        path.write_bytes(content)
        with pytest.raises(Failed, match="restore it from a copy"):
            ensure_public_key(path)
        assert path.read_bytes() == content
