"""Questions and answers of a check: unknown fields are passed over, anything else is a fault."""

from uuid import uuid4

import msgspec
import pytest

from keisan.domain.errors import InvalidInput
from keisan.wire.link import Cursor
from keisan.wire.link_check import CheckAnswer, CheckQuestion, encode_check, read_check_answer, read_check_question

PLACE = Cursor(incarnation=uuid4(), sequence=7, hash=bytes(32))


def test_what_was_said_is_heard_with_fields_that_only_a_newer_platform_knows() -> None:
    question = CheckQuestion(cursors={"ledger": PLACE})
    answer = CheckAnswer(ends={"ledger": PLACE}, hashes={"ledger": b"x"}, cursors={}, offered=(1,), held=(2,))
    for message, read in ((question, read_check_question), (answer, read_check_answer)):
        newer = msgspec.msgpack.encode(msgspec.to_builtins(message, builtin_types=(bytes,)) | {"newer": 1})
        assert read(encode_check(message)) == read(newer) == message


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x91" * 5000, msgspec.msgpack.encode({"cursors": 1})])
def test_what_is_neither_is_a_fault(body: bytes) -> None:
    for read in (read_check_question, read_check_answer):
        with pytest.raises(InvalidInput):
            read(body)
