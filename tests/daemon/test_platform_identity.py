"""The platform's identity: made once, private, and never silently another."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from keisan.daemon.platform_identity import ROOT_BYTES, ensure_identity, rotate_identity
from keisan.domain.errors import Failed
from keisan.domain.ids import PUBLIC_KEY_BYTES
from keisan.domain.key_chain import check_key_chain
from keisan.kit.signature import is_signed_by


def test_identity_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    identity = ensure_identity(path)
    assert len(identity.public_key) == PUBLIC_KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_identity(path).public_key == identity.public_key
    assert ensure_identity(tmp_path / "other.pem").public_key != identity.public_key


@pytest.mark.parametrize("name", ["door_root", "webhook_root"])
def test_roots_of_secrets_come_back_with_the_key_and_are_not_the_key(tmp_path: Path, name: str) -> None:
    path = tmp_path / "identity.pem"
    root = getattr(ensure_identity(path), name).reveal()
    assert getattr(ensure_identity(path), name).reveal() == root
    assert len(root) == 2 * ROOT_BYTES
    assert getattr(ensure_identity(tmp_path / "other.pem"), name).reveal() != root
    key = load_pem_private_key(path.read_bytes(), password=None)
    assert root != key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex()


def test_each_purpose_has_a_root_of_its_own(tmp_path: Path) -> None:
    identity = ensure_identity(tmp_path / "identity.pem")
    assert identity.door_root.reveal() != identity.webhook_root.reveal()


def test_damaged_or_foreign_key_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"-----BEGIN PRIVATE KEY-----\n", other):
        path.write_bytes(content)
        with pytest.raises(Failed, match="restore it from a copy"):
            ensure_identity(path)
        assert path.read_bytes() == content


def test_later_keys_are_vouched_for_and_the_roots_of_secrets_stay(tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    first = ensure_identity(path)
    chain = rotate_identity(path)
    later = ensure_identity(path)
    assert later.link.keys == chain
    check_key_chain(chain, first.link.platform_id, is_signed_by)
    assert later.link.signer.public_key == chain.newest_key != first.public_key
    assert (later.public_key, later.door_root.reveal()) == (first.public_key, first.door_root.reveal())
    assert later.link.link_key != first.link.link_key != first.public_key
    assert (tmp_path / "identity_later.pem").stat().st_mode & 0o777 == 0o600
    assert ensure_identity(path).link.keys == chain
    # A newest key that was lost, or damaged, must not silently be another.
    (tmp_path / "identity_later.pem").write_bytes(b"")
    with pytest.raises(Failed, match="restore it from a copy"):
        ensure_identity(path)
