"""The writer's half of a link's registers: which buckets differ, what the neighbour lacks, and what changed since.

Only the newest is ever read and sent. Which registers the neighbour still lacks is not remembered beyond the connection: the
digests of the next one tell.
"""

from collections import deque
from collections.abc import Iterable

from keisan.domain.ids import PlatformId
from keisan.domain.limits import LETTER_NAME_CHARACTERS_MAX, LINK_BATCH_LETTERS_MAX
from keisan.domain.register import (
    BUCKETS,
    RegisterKey,
    RegisterLine,
    RegisterMark,
    digest_buckets,
    find_bucket,
)
from keisan.federation.effect import Effect, LinkFault, ReadLetters
from keisan.wire.link import Line, Lines, LinkMessage, Registers, Want

# So many keys of the longest names are less than a message.
LINES_MAX = 1024


class RegisterSending:
    """Offers registers to one neighbour. `offered` is what it may have, by key."""

    def __init__(self, offered: Iterable[RegisterLine]) -> None:
        self.offered: dict[RegisterKey, RegisterMark] = {line.key: line.mark for line in offered}
        self._compared: deque[Lines] = deque()
        # In order of their change, each once: what changes again goes to no other place.
        self._changed: dict[RegisterKey, None] = {}
        self._is_reading = False
        self._loaded: tuple[bytes, ...] = ()
        self._number = 0
        self._under_way: dict[int, int] = {}
        self._lines_under_way: dict[int, int] = {}

    def meet(self, buckets: tuple[int, ...]) -> None:
        """Take the digests of what the neighbour has, and list the buckets that differ; raises LinkFault unless there are 256."""
        if len(buckets) != BUCKETS:
            raise LinkFault("wrong_buckets", f"expected {BUCKETS} digests, got {len(buckets)}")
        lines = [RegisterLine(key, mark) for key, mark in self.offered.items()]
        own = digest_buckets(lines)
        differing = {bucket for bucket in range(BUCKETS) if own[bucket] != buckets[bucket]}
        found: dict[int, list[Line]] = {bucket: [] for bucket in sorted(differing)}
        for line in lines:
            bucket = find_bucket(line.key)
            if bucket in differing:
                found[bucket].append(describe_line(line))
        for bucket, listed in found.items():
            self._compared.extend(_split_lines(bucket, listed))

    def note_lines(self, lines: Iterable[RegisterLine]) -> None:
        """Take that registers have changed: they are sent as they are at their turn."""
        for line in lines:
            if self.offered.get(line.key) != line.mark:
                self.offered[line.key] = line.mark
                self._changed[line.key] = None

    def send_back(self, keys: Iterable[RegisterKey]) -> None:
        """Send registers that came from the neighbour, and that it has lost."""
        for key in keys:
            self._changed[key] = None

    def take_want(self, want: Want) -> int:
        """Take what the neighbour wants of a bucket and return how many bytes it answers; raises LinkFault if nobody asked."""
        answered = self._lines_under_way.pop(want.bucket, None)
        if answered is None:
            raise LinkFault("wrong_answer", f"bucket {want.bucket} was not listed")
        for line in want.lines:
            key = read_line(line).key
            if key in self.offered:
                self._changed[key] = None
        return answered

    def take_merged(self, number: int) -> int:
        """Take that registers are merged and return how many bytes it answers; raises LinkFault if they were not sent."""
        answered = self._under_way.pop(number, None)
        if answered is None:
            raise LinkFault("wrong_answer", f"registers {number} were not sent")
        return answered

    def want_letters(self) -> list[Effect]:
        """Ask for the newest of what changed, if none is loaded."""
        if self._is_reading or self._loaded or not self._changed:
            return []
        keys = tuple(self._changed)[:LINK_BATCH_LETTERS_MAX]
        for key in keys:
            del self._changed[key]
        self._is_reading = True
        return [ReadLetters(keys)]

    def take_letters(self, letters: tuple[bytes, ...]) -> None:
        """Take letters that were read; they are sent at the registers' next turn."""
        self._is_reading = False
        self._loaded = letters

    @property
    def is_loaded(self) -> bool:
        """Tell whether something waits for its turn."""
        return bool(self._compared or self._loaded)

    @property
    def is_in_step(self) -> bool:
        """Tell whether nothing is to be sent any more, and all that was is answered."""
        is_left = self._compared or self._changed or self._is_reading or self._loaded
        return not (is_left or self._under_way or self._lines_under_way)

    def send_next(self, bytes_max: int) -> tuple[LinkMessage, int]:
        """Return the next message and its size in bytes: lists first, then as many letters as fit, at least one."""
        if self._compared:
            lines = self._compared.popleft()
            size = 64 * len(lines.lines)
            self._lines_under_way[lines.bucket] = self._lines_under_way.get(lines.bucket, 0) + size
            return lines, size
        count, size = 1, len(self._loaded[0])
        while count < len(self._loaded) and size + len(self._loaded[count]) <= bytes_max:
            size += len(self._loaded[count])
            count += 1
        letters, self._loaded = self._loaded[:count], self._loaded[count:]
        self._number += 1
        self._under_way[self._number] = size
        return Registers(number=self._number, letters=letters), size


def describe_line(line: RegisterLine) -> Line:
    """Return a line as it is said on the wire."""
    key, mark = line.key, line.mark
    return Line(author=key.author, kind=key.kind, name=key.name, version=mark.version, digest=mark.digest)


def read_line(line: Line) -> RegisterLine:
    """Return a line from the wire; raises LinkFault for one that no letter could have."""
    if max(map(len, (line.author, line.kind, line.name))) > LETTER_NAME_CHARACTERS_MAX:
        raise LinkFault("wrong_line", f"names in a list have at most {LETTER_NAME_CHARACTERS_MAX} characters")
    key = RegisterKey(PlatformId(line.author), line.kind, line.name)
    return RegisterLine(key, RegisterMark(line.version, line.digest))


def _split_lines(bucket: int, lines: list[Line]) -> Iterable[Lines]:
    parts = [tuple(lines[start : start + LINES_MAX]) for start in range(0, len(lines), LINES_MAX)] or [()]
    for number, part in enumerate(parts, 1):
        yield Lines(bucket=bucket, lines=part, is_last=number == len(parts))
