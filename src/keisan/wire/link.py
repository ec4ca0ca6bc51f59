"""Messages of the link between two platforms: msgpack, [kind, body]. Unknown kinds and fields are passed over (version skew).

A new field has a default; a new kind is sent only to a neighbour whose minor version knows it.
"""

from typing import Final, TypeVar
from uuid import UUID

import msgspec

from keisan.domain.errors import InvalidInput
from keisan.domain.limits import LINK_MESSAGE_BYTES_MAX

LINK_MAJOR: Final = 1
LINK_MINOR: Final = 0


class LinkMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What every message is."""


class End(LinkMessage, frozen=True):
    """Where a sender's log is: see domain.link_log.LogEnd, which this is on the wire."""

    incarnation: UUID
    sequence: int
    hash: bytes
    trimmed_sequence: int = 0
    trimmed_hash: bytes = bytes(32)


class Cursor(LinkMessage, frozen=True):
    """How far a receiver has applied a log."""

    incarnation: UUID
    sequence: int
    hash: bytes


class Hello(LinkMessage, frozen=True):
    """The first message of both sides. `buckets` are the digests of the registers that the sender has from this neighbour."""

    major: int
    minor: int
    release: str
    platform_id: str
    link_epoch: int
    ends: dict[str, End]
    cursors: dict[str, Cursor]
    buckets: tuple[int, ...]
    now_ms: int


class Items(LinkMessage, frozen=True):
    """Letters in order, from `first_sequence` on; `hash` is the running hash after the last."""

    log: str
    incarnation: UUID
    first_sequence: int
    letters: tuple[bytes, ...]
    hash: bytes


class Ack(LinkMessage, frozen=True):
    """Everything up to `sequence` is applied, and that is committed."""

    log: str
    incarnation: UUID
    sequence: int


class Fork(LinkMessage, frozen=True):
    """Both remember different things of a log: its sender has begun another incarnation, of what it keeps."""

    log: str
    end: End


class Returned(LinkMessage, frozen=True):
    """Letters that the sender of a log may have lost, as its receiver has them; `is_last` after all were returned."""

    log: str
    number: int
    letters: tuple[bytes, ...]
    is_last: bool = False


class Regained(LinkMessage, frozen=True):
    """Returned letters were taken, and that is committed."""

    log: str
    number: int


class Line(LinkMessage, frozen=True):
    """One register as its holder has it."""

    author: str
    kind: str
    name: str
    version: int
    digest: bytes


class Lines(LinkMessage, frozen=True):
    """All registers of one bucket that the sender offers; it may come in parts, the last of which says so."""

    bucket: int
    lines: tuple[Line, ...]
    is_last: bool = True


class Want(LinkMessage, frozen=True):
    """Answers the last lines of a bucket: registers that were listed, and that the sender does not have as new."""

    bucket: int
    lines: tuple[Line, ...]


class Registers(LinkMessage, frozen=True):
    """The newest of some registers."""

    number: int
    letters: tuple[bytes, ...]


class Merged(LinkMessage, frozen=True):
    """Registers were taken, and that is committed."""

    number: int


class Ping(LinkMessage, frozen=True):
    """Tells the other side that this one is there."""

    sent_ms: int


class Pong(LinkMessage, frozen=True):
    """Answers a ping at once; the clocks' offset follows from it."""

    sent_ms: int
    now_ms: int


class Ask(LinkMessage, frozen=True):
    """A question to the neighbour itself, answered once; it is not kept."""

    number: int
    subject: str
    body: bytes


class Answer(LinkMessage, frozen=True):
    """The answer to a question: `code` is empty, or that of an error, with its text as the body."""

    number: int
    code: str
    body: bytes


class Bye(LinkMessage, frozen=True):
    """The last message: why the sender closes the connection."""

    code: str
    text: str = ""


_KINDS: dict[str, type[LinkMessage]] = {
    each.__name__.lower(): each
    for each in (
        Hello,
        Items,
        Ack,
        Fork,
        Returned,
        Regained,
        Lines,
        Want,
        Registers,
        Merged,
        Ping,
        Pong,
        Ask,
        Answer,
        Bye,
    )
}
_DECODERS = {kind: msgspec.msgpack.Decoder(each).decode for kind, each in _KINDS.items()}


class _Envelope(msgspec.Struct, frozen=True, array_like=True, gc=False):
    kind: str
    body: msgspec.Raw


_read_envelope = msgspec.msgpack.Decoder(_Envelope).decode
_encode = msgspec.msgpack.Encoder().encode
Message = TypeVar("Message", bound=LinkMessage)


def encode_message(message: LinkMessage) -> bytes:
    """Return a message as bytes."""
    return _encode((type(message).__name__.lower(), message))


def decode_message(encoded: bytes) -> LinkMessage | None:
    """Return a message from bytes, None for a kind that only a newer platform knows.

    Raises InvalidInput for what is no message, or too long.
    """
    if len(encoded) > LINK_MESSAGE_BYTES_MAX:
        raise InvalidInput(
            f"a link's message has at most {LINK_MESSAGE_BYTES_MAX} bytes, got {len(encoded)}", "message"
        )
    try:
        envelope = _read_envelope(encoded)
        decode = _DECODERS.get(envelope.kind)
        return None if decode is None else decode(envelope.body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not a message of a link", "message", str(fault)) from fault
