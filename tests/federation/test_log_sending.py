"""The sender's half of a log: what comes at the wrong moment changes nothing."""

from dataclasses import replace
from uuid import uuid4

import pytest

from keisan.domain.ids import LetterId
from keisan.domain.link_log import FIRST_HASH, LinkLog, LogCursor, LogEnd, LogItem, extend_hash
from keisan.federation.effect import LinkFault, ReadItems, Send
from keisan.federation.log_sending import LogSending
from keisan.kit.ids import create_id
from keisan.wire.link import Fork, decode_message

INCARNATION = uuid4()


def build_end(sequence: int) -> LogEnd:
    return LogEnd(INCARNATION, sequence, b"h" * 32, 0, FIRST_HASH)


def test_the_end_of_another_incarnation_is_not_this_log_s() -> None:
    sending = LogSending(LinkLog.LEDGER, build_end(1))
    sending.note_end(LogEnd(uuid4(), 9, b"x" * 32, 0, FIRST_HASH))
    assert sending.end == build_end(1)
    sending.note_end(build_end(2))
    assert sending.end == build_end(2)


def build_item(sequence: int) -> LogItem:
    return LogItem(sequence, extend_hash(FIRST_HASH, b"x"), LetterId(create_id()), b"x")


def test_items_that_were_sent_already_are_not_sent_again() -> None:
    sending = LogSending(LinkLog.LEDGER, build_end(3))
    sending.meet(None)
    assert isinstance(sending.want_items()[0], ReadItems)
    assert sending.want_items() == []
    sending.take_items((build_item(0),))
    assert not sending.is_loaded
    assert isinstance(sending.want_items()[0], ReadItems)
    sending.take_items(())
    assert not sending.is_loaded


def test_a_log_that_was_dropped_meanwhile_is_compared_anew() -> None:
    """An old connection still brought the receiver what comes next, both signed for it, and the sender keeps it no more."""
    sending = LogSending(LinkLog.LEDGER, build_end(3))
    sending.meet(None)
    sending.want_items()
    with pytest.raises(LinkFault) as fault:
        sending.take_items((build_item(2),))
    assert fault.value.code == "log_trimmed"
    assert not sending.is_loaded


def test_a_log_of_which_all_was_dropped_meanwhile_is_compared_anew() -> None:
    """Nothing is left to be read, so nothing would ever be sent."""
    sending = LogSending(LinkLog.LEDGER, build_end(3))
    sending.meet(None)
    sending.want_items()
    sending.take_items(())
    with pytest.raises(LinkFault) as fault:
        sending.note_end(replace(build_end(3), trimmed_sequence=3))
    assert fault.value.code == "log_trimmed"


def test_a_log_that_is_trimmed_of_what_was_sent_goes_on() -> None:
    sending = LogSending(LinkLog.LEDGER, build_end(3))
    sending.meet(None)
    sending.want_items()
    sending.take_items(tuple(map(build_item, (1, 2))))
    sending.note_end(replace(build_end(3), trimmed_sequence=2))
    assert sending.is_loaded


def test_nothing_where_there_should_be_something_is_read_again_when_the_log_is_told_of() -> None:
    sending = LogSending(LinkLog.LEDGER, build_end(3))
    sending.meet(None)
    sending.want_items()
    sending.take_items(())
    assert sending.want_items() == []
    sending.note_end(build_end(3))
    assert isinstance(sending.want_items()[0], ReadItems)


def test_a_log_that_begins_after_the_first_message_is_told_to_a_receiver_who_knows_another() -> None:
    """Both have said who they are; only then the first letter is appended to a log that was restored empty."""
    sending = LogSending(LinkLog.LEDGER, None)
    sending.note_end(build_end(1))
    (told,) = sending.meet(LogCursor(uuid4(), 7, b"x" * 32))
    assert isinstance(told, Send)
    fork = decode_message(told.data)
    assert isinstance(fork, Fork)
    assert fork.end.incarnation == INCARNATION
    announced = LogSending(LinkLog.LEDGER, build_end(1))
    assert announced.meet(LogCursor(uuid4(), 7, b"x" * 32)) == []
