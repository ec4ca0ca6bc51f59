"""Letters of grants: what goes in comes out, unknown fields are passed over, and what makes no sense is refused."""

import json

import pytest

from keisan.domain.errors import InvalidInput
from keisan.wire.grant import NUMBER_MAX, decode_answer, decode_want, encode_answer, encode_want
from tests.federation.grant_samples import PARENT, WANT_ID, WORK, build_answer, build_want, build_word


@pytest.mark.parametrize("work", [None, WORK])
def test_want_comes_out_as_it_went_in(work: object) -> None:
    body = encode_want(build_want(work=work), 7)
    assert decode_want(body, PARENT) == build_word(work=work)
    newer = json.dumps(json.loads(body) | {"of_a_newer_platform": 1}).encode()
    assert decode_want(newer, PARENT) == build_word(work=work)


def test_answer_comes_out_as_it_went_in_with_the_version_of_its_letter() -> None:
    answer = build_answer(version=9, reason="計算")
    body = encode_answer(WANT_ID, answer)
    assert decode_answer(body, 9) == (WANT_ID, answer)
    newer = json.dumps(json.loads(body) | {"of_a_newer_platform": 1}).encode()
    assert decode_answer(newer, 9) == (WANT_ID, answer)


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": -1},
        {"epoch": NUMBER_MAX + 1},
        {"heard_number": "many"},
        {"count": 0},
        {"duration_s": 1},
        {"on_expiry": "delete"},
        {"want_id": "x"},
        {"work": {"model_name": "m"}},
        {"is_ended": None},
    ],
)
def test_want_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    body = json.dumps(json.loads(encode_want(build_want(), 7)) | change).encode()
    with pytest.raises(InvalidInput):
        decode_want(body, PARENT)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"want_id": null}'])
def test_what_is_no_letter_of_a_grant_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_want(body, PARENT)
    with pytest.raises(InvalidInput):
        decode_answer(body, 1)
