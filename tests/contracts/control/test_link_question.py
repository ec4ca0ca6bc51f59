"""What a neighbour may ask, and how often."""

import pytest

from keisan.control.context import Control
from keisan.control.link_question import ANSWER_PERIOD_S, ANSWERS_AT_ONCE_MAX, LinkAnswers
from keisan.domain.ids import hash_public_key
from keisan.storage.database import Database
from keisan.wire.link_check import CHECK_SUBJECT, CheckQuestion, encode_check, read_check_answer
from tests.factories import FixedClock, create_link

QUESTION = encode_check(CheckQuestion(cursors={}))


@pytest.fixture
def answers(storage: Database, clock: FixedClock) -> LinkAnswers:
    return LinkAnswers(Control(storage, clock, hash_public_key(bytes(32))), create_link())


async def test_a_check_is_answered_with_what_is_here(answers: LinkAnswers) -> None:
    code, body = await answers.answer(CHECK_SUBJECT, QUESTION)
    answer = read_check_answer(body)
    assert (code, answer.ends, answer.cursors, len(answer.held), answer.tickets) == ("", {}, {}, 256, ())


async def test_what_is_not_known_is_not_answered(answers: LinkAnswers) -> None:
    assert (await answers.answer("secrets", b""))[0] == "not_found"
    assert (await answers.answer(CHECK_SUBJECT, b"\xff"))[0] == "invalid_input"


async def test_whoever_asks_too_often_waits(answers: LinkAnswers, clock: FixedClock) -> None:
    codes = [(await answers.answer(CHECK_SUBJECT, QUESTION))[0] for _ in range(ANSWERS_AT_ONCE_MAX + 2)]
    assert codes == [""] * ANSWERS_AT_ONCE_MAX + ["limit_exceeded"] * 2
    await clock.sleep(ANSWER_PERIOD_S)
    codes = [(await answers.answer(CHECK_SUBJECT, QUESTION))[0] for _ in range(2)]
    assert codes == ["", "limit_exceeded"]
