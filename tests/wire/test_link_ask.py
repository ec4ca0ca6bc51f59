"""What a child asks and is told: read back as written, with room for what only a newer platform says."""

from uuid import uuid4

import msgspec
import pytest

from keisan.domain.errors import InvalidInput
from keisan.wire.link_ask import AskStep, LinkAskBody, LinkToldBody, encode_body, read_ask_body, read_told_body
from keisan.wire.name import encode_key_chain
from tests.federation.tree import Person

CHILD = Person("sx")
KEYS = encode_key_chain(CHILD.chain)
ASK = LinkAskBody(
    step=AskStep.JOIN, title="Shanxi", kind="regional", keys=KEYS, link_key=bytes(32), epoch=3, proof=b"p"
)
TOLD = LinkToldBody(answers=uuid4(), state="joined", title="Nation", kind="national", keys=KEYS, now_ms=5, epoch=3)


def test_bodies_are_read_back_as_they_were_written() -> None:
    assert read_ask_body(CHILD.write("link_ask", body=encode_body(ASK))) == ASK
    assert read_told_body(CHILD.write("link_told", body=encode_body(TOLD))) == TOLD


def test_what_only_a_newer_platform_says_is_passed_over() -> None:
    newer = msgspec.json.decode(encode_body(ASK)) | {"colour": "green"}
    assert read_ask_body(CHILD.write("link_ask", body=msgspec.json.encode(newer))) == ASK


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}"])
def test_what_is_no_such_body_is_refused(body: bytes) -> None:
    for read in (read_ask_body, read_told_body):
        with pytest.raises(InvalidInput):
            read(CHILD.write("link_ask", body=body))
