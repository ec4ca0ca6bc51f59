"""The writer's half of registers: long lists go in parts, and what is no longer offered is not sent when it is wanted."""

import pytest

from keisan.domain.ids import PlatformId
from keisan.domain.limits import LETTER_NAME_CHARACTERS_MAX
from keisan.domain.register import BUCKETS, RegisterKey, RegisterLine, RegisterMark, find_bucket
from keisan.federation.effect import LinkFault, ReadLetters
from keisan.federation.register_sending import LINES_MAX, RegisterSending, describe_line, read_line
from keisan.wire.link import Line, Lines, Want

LINE = RegisterLine(RegisterKey(PlatformId("a"), "offer", "x"), RegisterMark(1, b"d"))


def test_a_long_list_goes_in_parts_and_only_the_last_says_so() -> None:
    keys = (RegisterKey(PlatformId("a"), "offer", str(each)) for each in range(10**7))
    of_one_bucket = [
        RegisterLine(key, LINE.mark)
        for key, _ in zip(filter(is_first_bucket, keys), range(LINES_MAX + 1), strict=False)
    ]
    sending = RegisterSending(of_one_bucket)
    sending.meet((0,) * BUCKETS)
    sent = [sending.send_next(1)[0] for _ in range(2)]
    assert [(len(each.lines), each.is_last) for each in sent if isinstance(each, Lines)] == [
        (LINES_MAX, False),
        (1, True),
    ]
    assert not sending.is_loaded


def is_first_bucket(key: RegisterKey) -> bool:
    return find_bucket(key) == 0


def test_what_was_never_offered_is_not_sent() -> None:
    sending = RegisterSending([LINE])
    sending.meet((0,) * BUCKETS)
    sending.send_next(1)
    other = RegisterLine(RegisterKey(PlatformId("b"), "offer", "x"), LINE.mark)
    sending.take_want(Want(bucket=find_bucket(LINE.key), lines=(describe_line(other),)))
    assert sending.want_letters() == []


def test_letters_go_in_messages_of_a_bounded_size() -> None:
    sending = RegisterSending(())
    sending.note_lines([LINE])
    sending.want_letters()
    sending.take_letters((b"aaaa", b"bb", b"cc", b"d"))
    sizes = [sending.send_next(5)[1] for _ in range(2)]
    assert sizes == [4, 5]
    assert not sending.is_loaded


def test_what_is_told_again_as_it_is_known_is_not_sent_again() -> None:
    sending = RegisterSending([LINE])
    sending.note_lines([LINE])
    assert sending.want_letters() == []
    newer = RegisterLine(LINE.key, RegisterMark(2, b"d"))
    sending.note_lines([newer])
    assert sending.want_letters() == [ReadLetters((LINE.key,))]


@pytest.mark.parametrize("name", ["author", "kind", "name"])
def test_a_line_that_no_letter_could_have_is_refused(name: str) -> None:
    texts = {"author": "a", "kind": "offer", "name": "x", name: "x" * (LETTER_NAME_CHARACTERS_MAX + 1)}
    with pytest.raises(LinkFault) as fault:
        read_line(Line(**texts, version=1, digest=b"d"))
    assert fault.value.code == "wrong_line"


def test_it_is_in_step_once_all_that_was_to_be_sent_is_answered() -> None:
    sending = RegisterSending([LINE])
    assert sending.is_in_step
    seen: list[bool] = []
    sending.meet((0,) * BUCKETS)
    seen.append(sending.is_in_step)
    sending.send_next(1)
    seen.append(sending.is_in_step)
    sending.take_want(Want(bucket=find_bucket(LINE.key), lines=(describe_line(LINE),)))
    seen.append(sending.is_in_step)
    sending.want_letters()
    seen.append(sending.is_in_step)
    sending.take_letters((b"a",))
    seen.append(sending.is_in_step)
    sending.send_next(1)
    seen.append(sending.is_in_step)
    assert not any(seen)
    sending.take_merged(1)
    assert sending.is_in_step
