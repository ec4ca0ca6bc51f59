"""The receiver's half of a log: nothing is taken before the log has begun, and never more than a link may have under way."""

from uuid import uuid4

import pytest

from keisan.domain.limits import LETTER_BYTES_MAX, LINK_WINDOW_BYTES
from keisan.domain.link_log import FIRST_HASH, LinkLog, LogCursor, extend_hash
from keisan.federation.effect import LinkFault
from keisan.federation.log_taking import LogTaking
from keisan.wire.link import Items

INCARNATION = uuid4()


def test_items_before_the_new_incarnation_has_begun_are_refused() -> None:
    taking = LogTaking(LinkLog.LEDGER, LogCursor(uuid4(), 3, FIRST_HASH))
    taking.meet(INCARNATION)
    items = Items(
        log="ledger", incarnation=INCARNATION, first_sequence=1, letters=(b"x",), hash=extend_hash(FIRST_HASH, b"x")
    )
    with pytest.raises(LinkFault) as fault:
        taking.take_items(items)
    assert fault.value.code == "early_items"


def test_a_neighbour_that_waits_for_no_answer_is_cut_off() -> None:
    with pytest.raises(LinkFault) as fault:
        send_without_end(LogTaking(LinkLog.LEDGER, None))
    assert fault.value.code == "flood"


def send_without_end(taking: LogTaking) -> None:
    running, letter = FIRST_HASH, bytes(LETTER_BYTES_MAX)
    for place in range(1, 3 * LINK_WINDOW_BYTES // LETTER_BYTES_MAX):
        running = extend_hash(running, letter)
        message = Items(log="ledger", incarnation=INCARNATION, first_sequence=place, letters=(letter,), hash=running)
        taking.take_items(message)
