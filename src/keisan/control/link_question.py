"""What a neighbour may ask over a link, and how it is answered: only what concerns the two, and not more often than this host bears."""

from keisan.control.context import Control
from keisan.control.link_check import read_answer
from keisan.domain.errors import InvalidInput
from keisan.domain.link import Link
from keisan.wire.link_check import CHECK_SUBJECT, encode_check, read_check_question

# An answer reads all registers: so many are given at once, and one more each time this period has passed.
ANSWERS_AT_ONCE_MAX = 8
ANSWER_PERIOD_S = 0.2


class LinkAnswers:
    """Answers the questions of one connection's neighbour."""

    def __init__(self, control: Control, link: Link) -> None:
        self._control = control
        self._link = link
        self._full_s = control.clock.monotonic_s()

    async def answer(self, subject: str, body: bytes) -> tuple[str, bytes]:
        """Return the code of an error, or an empty one, and the body of the answer. Raises StorageUnavailable."""
        if subject != CHECK_SUBJECT:
            return "not_found", b"this platform is not asked that"
        if not self._take_turn():
            return "limit_exceeded", b"asked too often"
        try:
            question = read_check_question(body)
        except InvalidInput as fault:
            return fault.code, fault.outside.encode()
        async with self._control.storage.read() as view:
            return "", encode_check(await read_answer(view, self._control, self._link, question))

    def _take_turn(self) -> bool:
        """Tell whether one more may be answered: `_full_s` is when all turns are there again."""
        now_s = self._control.clock.monotonic_s()
        full_s = max(self._full_s, now_s) + ANSWER_PERIOD_S
        if full_s - now_s > ANSWERS_AT_ONCE_MAX * ANSWER_PERIOD_S + ANSWER_PERIOD_S / 2:
            return False
        self._full_s = full_s
        return True
