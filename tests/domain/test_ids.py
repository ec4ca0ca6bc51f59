"""Platform ids: the hash of the first public key, checked as text."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PUBLIC_KEY_BYTES, hash_public_key, parse_platform_id


@given(st.binary(min_size=PUBLIC_KEY_BYTES, max_size=PUBLIC_KEY_BYTES))
def test_id_is_the_hash_of_the_key_and_parses(public_key: bytes) -> None:
    platform_id = hash_public_key(public_key)
    assert platform_id == hashlib.sha256(public_key).hexdigest()
    assert parse_platform_id(platform_id) == platform_id


@given(st.binary(max_size=80).filter(lambda key: len(key) != PUBLIC_KEY_BYTES))
def test_key_of_another_length_is_refused(public_key: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        hash_public_key(public_key)
    assert refusal.value.field == "public_key"


@pytest.mark.parametrize("text", ["", "ab", "AB" * 32, "zz" * 32, "ab" * 32 + "\n", " " + "ab" * 32, "ab" * 33])
def test_other_text_is_no_platform_id(text: str) -> None:
    with pytest.raises(InvalidInput, match="64 lower-case hex"):
        parse_platform_id(text)
