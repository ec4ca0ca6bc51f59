"""Messages of a link: read back as they were, and open to newer platforms."""

from uuid import uuid4

import msgspec
import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.limits import LINK_MESSAGE_BYTES_MAX
from keisan.wire.link import Ack, End, Fork, Hello, Items, LinkMessage, Ping, decode_message, encode_message

MESSAGES = (
    Ack(log="ledger", incarnation=uuid4(), sequence=9),
    Items(log="ledger", incarnation=uuid4(), first_sequence=1, letters=(b"a", b""), hash=bytes(32)),
    Fork(log="event", end=End(incarnation=uuid4(), sequence=2, hash=bytes(32))),
    Hello(
        major=1,
        minor=0,
        release="0",
        platform_id="p",
        link_epoch=3,
        ends={},
        cursors={},
        buckets=(0, 2**64 - 1),
        now_ms=1,
    ),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_a_message_is_read_back_as_it_was(message: LinkMessage) -> None:
    assert decode_message(encode_message(message)) == message


def test_unknown_kinds_and_fields_are_passed_over() -> None:
    assert decode_message(msgspec.msgpack.encode(("song", {"verse": 1}))) is None
    assert decode_message(msgspec.msgpack.encode(("ping", {"sent_ms": 4, "mood": "good"}))) == Ping(sent_ms=4)


@pytest.mark.parametrize(
    "encoded", [b"", b"\x90", msgspec.msgpack.encode(("ping", {})), b"x" * (LINK_MESSAGE_BYTES_MAX + 1)]
)
def test_what_is_no_message_is_refused(encoded: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_message(encoded)
