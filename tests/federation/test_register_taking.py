"""The reader's half of registers: lists come in parts, and a neighbour that lists or sends without end is cut off."""

import pytest

from keisan.domain.ids import PlatformId
from keisan.domain.limits import LETTER_BYTES_MAX, LINK_WINDOW_BYTES
from keisan.domain.register import RegisterKey, RegisterLine, RegisterMark, find_bucket
from keisan.federation.effect import LinkFault, MergeLetters, Send
from keisan.federation.register_sending import LINES_MAX, describe_line
from keisan.federation.register_taking import LINES_OPEN_MAX, RegisterTaking
from keisan.wire.link import Line, Lines, Registers, Want, decode_message

AUTHOR = PlatformId("a")


def build_line(name: str, version: int = 1) -> RegisterLine:
    return RegisterLine(RegisterKey(AUTHOR, "offer", name), RegisterMark(version, b"d"))


def test_what_is_lacking_is_wanted_after_the_last_part() -> None:
    known, newer, fresh = build_line("x"), build_line("x", 2), build_line("y")
    taking = RegisterTaking([known])
    assert taking.take_lines(Lines(bucket=0, lines=(describe_line(newer),), is_last=False)) == ([], ())
    effects, _ = taking.take_lines(Lines(bucket=0, lines=(describe_line(fresh),)))
    assert isinstance(effects[0], Send)
    want = decode_message(effects[0].data)
    assert isinstance(want, Want)
    assert set(want.lines) == {describe_line(newer), describe_line(fresh)}


def test_what_the_neighbour_has_lost_is_given_back_whoever_wrote_it() -> None:
    held = build_line("x", 3)
    taking = RegisterTaking([held, build_line("y")])
    bucket = find_bucket(held.key)
    assert taking.take_lines(Lines(bucket=bucket, lines=(describe_line(build_line("x", 2)),)))[1] == (held.key,)
    assert taking.take_lines(Lines(bucket=bucket, lines=(describe_line(build_line("x", 3)),)))[1] == ()
    assert RegisterTaking([held]).take_lines(Lines(bucket=bucket, lines=()))[1] == (held.key,)


def test_what_others_have_given_back_of_a_neighbour_goes_to_it_once() -> None:
    held = build_line("x", 2)
    taking = RegisterTaking([held])
    newer = build_line("x", 3)
    assert taking.note_returned([held]) == ()
    assert taking.note_returned([newer]) == (newer.key,)
    assert taking.note_returned([newer]) == ()


def test_a_list_without_end_is_refused() -> None:
    with pytest.raises(LinkFault) as fault:
        list_without_end(RegisterTaking(()))
    assert fault.value.code == "flood"


def list_without_end(taking: RegisterTaking) -> None:
    for part in range(LINES_OPEN_MAX // LINES_MAX + 1):
        names = (f"{part}.{each}" for each in range(LINES_MAX))
        lines = tuple(Line(author="a", kind="k", name=name, version=1, digest=b"") for name in names)
        taking.take_lines(Lines(bucket=0, lines=lines, is_last=False))


def test_registers_wait_for_those_before_them_and_not_without_end() -> None:
    taking = RegisterTaking(())
    letter = bytes(LETTER_BYTES_MAX)
    assert taking.take_registers(Registers(number=1, letters=(letter,))) == [MergeLetters(1, (letter,))]
    assert taking.take_registers(Registers(number=2, letters=(b"x",))) == []
    assert taking.take_merged(1, ())[1:] == [MergeLetters(2, (b"x",))]
    with pytest.raises(LinkFault) as fault:
        send_without_end(taking, letter)
    assert fault.value.code == "flood"


def send_without_end(taking: RegisterTaking, letter: bytes) -> None:
    for number in range(3, 3 * LINK_WINDOW_BYTES // LETTER_BYTES_MAX):
        taking.take_registers(Registers(number=number, letters=(letter,)))
