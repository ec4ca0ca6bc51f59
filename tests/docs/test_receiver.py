"""The page's check of a signature: what it takes, and everything near it that it must not."""

import pytest

from keisan.domain.key import Secret
from keisan.domain.webhook import sign_body
from tests.docs.receiver import load_check

SECRET, OTHER = Secret("ws-keisan-one"), Secret("ws-keisan-two")
BODY, NOW_S = b'{"id":"1"}', 1_800_000_000


def test_what_was_signed_just_now_is_taken() -> None:
    is_genuine, signature = load_check(), sign_body((SECRET,), BODY, NOW_S)
    for age_s in (-300, 0, 300):
        assert is_genuine(SECRET.reveal(), signature, BODY, NOW_S + age_s)


def test_either_of_two_signatures_is_enough() -> None:
    is_genuine, signature = load_check(), sign_body((OTHER, SECRET), BODY, NOW_S)
    assert is_genuine(SECRET.reveal(), signature, BODY, NOW_S)
    assert is_genuine(OTHER.reveal(), signature, BODY, NOW_S)


SIGNATURE = sign_body((SECRET,), BODY, NOW_S)


@pytest.mark.parametrize(
    ("signature", "body", "now_s"),
    [
        (SIGNATURE, BODY + b" ", NOW_S),
        (SIGNATURE, BODY, NOW_S + 301),
        (SIGNATURE, BODY, NOW_S - 301),
        (SIGNATURE.replace(f"t={NOW_S}", f"t={NOW_S + 1}"), BODY, NOW_S),
        (f"{SIGNATURE},t={NOW_S}", BODY, NOW_S),
        (SIGNATURE.replace("t=", "t=-"), BODY, NOW_S),
        (SIGNATURE.partition(",")[2], BODY, NOW_S),
        (SIGNATURE.partition(",")[0], BODY, NOW_S),
        (SIGNATURE[:-1], BODY, NOW_S),
        (sign_body((OTHER,), BODY, NOW_S), BODY, NOW_S),
        ("", BODY, NOW_S),
    ],
)
def test_what_is_near_it_is_not(signature: str, body: bytes, now_s: int) -> None:
    assert not load_check()(SECRET.reveal(), signature, body, now_s)
