"""What a platform is to others: its id is the hash of its first key, whatever the newest is."""

from tests.control.link_world import build_identity


def test_an_identity_keeps_its_id_through_rotations() -> None:
    first, later = build_identity(1), build_identity(1, 3)
    assert first.platform_id == later.platform_id
    assert later.signer.public_key == later.keys.newest_key != first.signer.public_key
