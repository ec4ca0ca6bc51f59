"""Quarantine: the same bytes have one id."""

from hashlib import sha256

from keisan.domain.quarantine import name_quarantined


def test_id_is_the_first_half_of_the_digest() -> None:
    digest = sha256(b"record").hexdigest()
    assert name_quarantined(digest).hex == digest[:32]
    assert name_quarantined(digest) != name_quarantined(sha256(b"other").hexdigest())
