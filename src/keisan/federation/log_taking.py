"""The receiver's half of one log of a link: what comes is applied in order, and acknowledged after its commit.

Where the sender has begun another incarnation, it first gets back what is kept of the one before.
"""

from collections import deque
from uuid import UUID

from keisan.domain.ids import LetterId
from keisan.domain.limits import LINK_BATCH_BYTES, LINK_BATCH_LETTERS_MAX, LINK_WINDOW_BYTES
from keisan.domain.link_log import FIRST_HASH, LinkLog, LogCursor, extend_hash
from keisan.federation.effect import ApplyItems, Effect, LinkFault, ReadReturns, Send
from keisan.wire.letter import decode_letter
from keisan.wire.link import Ack, Items, Returned, encode_message


class LogTaking:
    """Takes one log. `cursor` is what is committed; `_reached` is what has come, and may still be under way to the disk."""

    def __init__(self, log: LinkLog, cursor: LogCursor | None) -> None:
        self.log = log
        self.cursor = cursor
        self._reached = cursor
        self._incarnation: UUID | None = None
        self._is_returning = False
        self._is_last_returned = False
        self._returned_number = 0
        self._last_returned: LetterId | None = None
        self._waiting: deque[ApplyItems] = deque()
        self._waiting_bytes = 0

    def meet(self, incarnation: UUID | None) -> list[Effect]:
        """Take in which incarnation the sender says that its log is; None if there is none."""
        if incarnation is None:
            return []
        self._incarnation = incarnation
        if self.cursor is None or self.cursor.incarnation == incarnation:
            return []
        return self._begin_returning()

    def take_fork(self, incarnation: UUID) -> list[Effect]:
        """Take that the log goes on in another incarnation; raises LinkFault where one begins within another."""
        if self._waiting:
            raise LinkFault("wrong_fork", f"{self.log}: a fork in the middle of items")
        self._incarnation = incarnation
        return [] if self._is_returning else self._begin_returning()

    def take_items(self, message: Items) -> list[Effect]:
        """Take items: applied if they follow. Raises LinkFault for a gap, another incarnation, a wrong hash or too many."""
        if self._is_returning:
            raise LinkFault("early_items", f"{self.log}: items came before the log had begun")
        if self._incarnation is None and self.cursor is None:
            self._incarnation = message.incarnation
        if message.incarnation != self._incarnation:
            raise LinkFault("wrong_incarnation", f"{self.log}: items of another incarnation than was announced")
        before = self._reached
        sequence, running = (before.sequence, before.hash) if before else (0, FIRST_HASH)
        if not message.letters or len(message.letters) > LINK_BATCH_LETTERS_MAX:
            raise LinkFault("wrong_batch", f"{self.log}: a batch has 1 to {LINK_BATCH_LETTERS_MAX} letters")
        if message.first_sequence != sequence + 1:
            raise LinkFault("log_hole", f"{self.log}: expected {sequence + 1}, got {message.first_sequence}")
        for letter in message.letters:
            running = extend_hash(running, letter)
        if running != message.hash:
            raise LinkFault("wrong_hash", f"{self.log}: the running hash differs at {sequence + len(message.letters)}")
        after = LogCursor(message.incarnation, sequence + len(message.letters), running)
        return self._enqueue(ApplyItems(self.log, before, after, message.letters))

    def take_applied(self, cursor: LogCursor) -> list[Effect]:
        """Take that the oldest of what was under way is applied and committed: now it is acknowledged."""
        done = self._waiting.popleft()
        assert done.after == cursor
        self._waiting_bytes -= _measure(done)
        self.cursor = cursor
        ack = Ack(log=self.log, incarnation=cursor.incarnation, sequence=cursor.sequence)
        return [Send(encode_message(ack)), *self._list_next()]

    def take_returns(self, letters: tuple[bytes, ...]) -> list[Effect]:
        """Take what was read of the letters to return; none are left if it is empty."""
        self._returned_number += 1
        self._is_last_returned = not letters
        if letters:
            self._last_returned = decode_letter(letters[-1]).id
        message = Returned(log=self.log, number=self._returned_number, letters=letters, is_last=not letters)
        return [Send(encode_message(message))]

    def take_regained(self, number: int) -> list[Effect]:
        """Take that the sender has these back, and return more; after the last the cursor goes to the incarnation's beginning.

        Raises LinkFault for letters that were not returned.
        """
        if not self._is_returning or number != self._returned_number:
            raise LinkFault("wrong_answer", f"{self.log}: {number} was not returned")
        if not self._is_last_returned:
            return self._read_returns()
        assert self._incarnation is not None
        self._is_returning = False
        return self._enqueue(ApplyItems(self.log, self.cursor, LogCursor(self._incarnation, 0, FIRST_HASH), ()))

    def _begin_returning(self) -> list[Effect]:
        self._is_returning = True
        return self._read_returns()

    def _read_returns(self) -> list[Effect]:
        return [ReadReturns(self.log, self._last_returned, LINK_BATCH_BYTES)]

    def _enqueue(self, work: ApplyItems) -> list[Effect]:
        self._reached = work.after
        self._waiting_bytes += _measure(work)
        if self._waiting_bytes > 2 * LINK_WINDOW_BYTES:
            raise LinkFault("flood", f"{self.log}: more is under way than a link may have")
        self._waiting.append(work)
        return [work] if len(self._waiting) == 1 else []

    def _list_next(self) -> list[Effect]:
        return [self._waiting[0]] if self._waiting else []


def _measure(work: ApplyItems) -> int:
    return sum(map(len, work.letters))
