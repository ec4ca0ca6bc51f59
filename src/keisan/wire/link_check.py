"""What two neighbours tell each other when one checks what both hold: how far logs are, digests of registers, ledgers, credit."""

from typing import Final
from uuid import UUID

import msgspec

from keisan.domain.errors import InvalidInput
from keisan.wire.link import Cursor

CHECK_SUBJECT: Final = "check"


class TicketMark(msgspec.Struct, frozen=True, kw_only=True):
    """A platform ticket as one end has it, home or the serving one; in nano-units at the wholesale price, as texts."""

    id: UUID
    is_home: bool
    ceiling_nano: str
    returned_nano: str
    spent_nano: str


class LedgerMark(msgspec.Struct, frozen=True, kw_only=True):
    """What one end holds of a settlement: so many leaves, with one digest; `statement` is that of what both signed, empty before."""

    author: str
    period: str
    leaf_count: int
    digest: bytes
    statement: str = ""


class CheckQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the asker has applied each log of the neighbour."""

    cursors: dict[str, Cursor]


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`ends` are those of its logs, `hashes` its own at the asker's cursors, `cursors` how far it has applied the asker's logs.

    `offered` and `held` are digests of registers by bucket: those that the asker may have, and those that came from it.
    """

    ends: dict[str, Cursor]
    hashes: dict[str, bytes]
    cursors: dict[str, Cursor]
    offered: tuple[int, ...]
    held: tuple[int, ...]
    ledgers: tuple[LedgerMark, ...] = ()
    tickets: tuple[TicketMark, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_read_question = msgspec.msgpack.Decoder(CheckQuestion).decode
_read_answer = msgspec.msgpack.Decoder(CheckAnswer).decode


def encode_check(message: CheckQuestion | CheckAnswer) -> bytes:
    """Return a question or an answer as bytes."""
    return _encode(message)


def read_check_question(encoded: bytes) -> CheckQuestion:
    """Return what is asked; raises InvalidInput."""
    try:
        return _read_question(encoded)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not a question of a check", "body", str(fault)) from fault


def read_check_answer(encoded: bytes) -> CheckAnswer:
    """Return what is answered; raises InvalidInput."""
    try:
        return _read_answer(encoded)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not an answer to a check", "body", str(fault)) from fault
