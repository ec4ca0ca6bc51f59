"""The reader's half of a link's registers: what it has from this neighbour, what it lacks of a list, and what it has newer."""

from collections import deque
from collections.abc import Iterable

from keisan.domain.limits import LINK_BATCH_LETTERS_MAX, LINK_WINDOW_BYTES
from keisan.domain.register import (
    BUCKETS,
    RegisterKey,
    RegisterLine,
    RegisterMark,
    digest_buckets,
    find_bucket,
)
from keisan.federation.effect import Effect, LinkFault, MergeLetters, Send
from keisan.federation.register_sending import LINES_MAX, describe_line, read_line
from keisan.wire.link import Lines, Merged, Registers, Want, encode_message

# What one neighbour may list, and leave unfinished, before anything is believed to be wrong with it: it lists one bucket at a time.
LINES_OPEN_MAX = 64 * LINES_MAX


class RegisterTaking:
    """Takes registers from one neighbour. `held` is what is kept that came by its link."""

    def __init__(self, held: Iterable[RegisterLine]) -> None:
        self.held: dict[RegisterKey, RegisterMark] = {line.key: line.mark for line in held}
        self._listed: dict[int, dict[RegisterKey, RegisterMark]] = {}
        self._waiting: deque[MergeLetters] = deque()
        self._waiting_bytes = 0

    def digest(self) -> tuple[int, ...]:
        """Return the digests of what is held, for the first message."""
        return digest_buckets([RegisterLine(key, mark) for key, mark in self.held.items()])

    def take_lines(self, message: Lines) -> tuple[list[Effect], tuple[RegisterKey, ...]]:
        """Take a list: return what to answer, and the keys of what came from the neighbour, who has it older or not at all now.

        Whoever wrote it may have lost it together with the neighbour, and would write older versions that nobody further on takes.

        Raises LinkFault for a bucket that is none, for a line that is none, and for too long a list.
        """
        if not 0 <= message.bucket < BUCKETS:
            raise LinkFault("wrong_buckets", f"there is no bucket {message.bucket}")
        listed = self._listed.setdefault(message.bucket, {})
        for line in message.lines:
            found = read_line(line)
            listed[found.key] = found.mark
        if sum(map(len, self._listed.values())) > LINES_OPEN_MAX:
            raise LinkFault(
                "flood", f"more than {LINES_OPEN_MAX} registers are listed, and no list of them is at its end"
            )
        if not message.is_last:
            return [], ()
        del self._listed[message.bucket]
        lacking = [RegisterLine(key, mark) for key, mark in listed.items() if mark.is_newer_than(self.held.get(key))]
        want = Want(bucket=message.bucket, lines=tuple(map(describe_line, lacking)))
        return [Send(encode_message(want))], tuple(self._list_lost(message.bucket, listed))

    def note_returned(self, lines: Iterable[RegisterLine]) -> tuple[RegisterKey, ...]:
        """Take what is kept as this neighbour's, and return the keys of what did not come from it: others have given it back."""
        newer = [line for line in lines if line.mark.is_newer_than(self.held.get(line.key))]
        self.held.update((line.key, line.mark) for line in newer)
        return tuple(line.key for line in newer)

    def take_registers(self, message: Registers) -> list[Effect]:
        """Take registers to merge; raises LinkFault for too many."""
        if len(message.letters) > LINK_BATCH_LETTERS_MAX:
            raise LinkFault("wrong_batch", f"a batch has at most {LINK_BATCH_LETTERS_MAX} letters")
        work = MergeLetters(message.number, message.letters)
        self._waiting_bytes += sum(map(len, work.letters))
        if self._waiting_bytes > 2 * LINK_WINDOW_BYTES:
            raise LinkFault("flood", "more registers are under way than a link may have")
        self._waiting.append(work)
        return [work] if len(self._waiting) == 1 else []

    def take_merged(self, number: int, lines: Iterable[RegisterLine]) -> list[Effect]:
        """Take what the oldest of what was under way has become, as it is kept now; it is committed, so it is answered."""
        done = self._waiting.popleft()
        assert done.number == number
        self._waiting_bytes -= sum(map(len, done.letters))
        for line in lines:
            self.held[line.key] = line.mark
        following: list[Effect] = [self._waiting[0]] if self._waiting else []
        return [Send(encode_message(Merged(number=number))), *following]

    def _list_lost(self, bucket: int, listed: dict[RegisterKey, RegisterMark]) -> Iterable[RegisterKey]:
        for key, mark in self.held.items():
            if find_bucket(key) == bucket and mark.is_newer_than(listed.get(key)):
                yield key
