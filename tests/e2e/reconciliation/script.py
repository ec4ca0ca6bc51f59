"""What one call of the reconciliation is to be: it stands in the call's prompt, so that client and engine need not agree otherwise."""

import random
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

# Tokens of one call, by class. Small, and odd as often as even, so that amounts end on half a nano-unit often.
INPUT_MAX, CACHED_MAX, OUTPUT_MAX = 97, 41, 24
PATTERN = re.compile(rb"script (\d+) (\w+) (\d+) (\d+) (\d+)")


class Kind(StrEnum):
    """How a call goes. Of each but CUT and REFUSE the client gets the whole answer, unless it leaves."""

    WHOLE = "whole"
    # A stream that tells its usage at its end only.
    LATE = "late"
    # A JSON answer that tells no usage.
    SILENT = "silent"
    # The engine ends the connection in the middle of its answer.
    CUT = "cut"
    # The client goes: amid a stream, or before a JSON answer.
    LEAVE = "leave"
    # The engine answers with an error.
    REFUSE = "refuse"
    # The engine ends the connection once or twice before it says a word, then answers.
    LOSE = "lose"


SHARES = {
    Kind.WHOLE: 86,
    Kind.LATE: 2,
    Kind.SILENT: 1,
    Kind.CUT: 4,
    Kind.LEAVE: 4,
    Kind.REFUSE: 1,
    Kind.LOSE: 2,
}
KINDS = [kind for kind, share in SHARES.items() for _ in range(share)]


@dataclass(frozen=True, slots=True)
class Script:
    """One call; of a stream that is cut or left, `output` is what it has told by then."""

    number: int
    kind: Kind
    is_stream: bool
    input: int
    cached: int
    output: int

    @classmethod
    def draw(cls, number: int, source: random.Random) -> Self:
        """Return what chance wants."""
        kind = source.choice(KINDS)
        is_stream = kind is Kind.LATE or (kind is not Kind.SILENT and source.random() < 0.5)
        sizes = (source.randint(1, INPUT_MAX), source.randint(0, CACHED_MAX), source.randint(1, OUTPUT_MAX))
        return cls(number, kind, is_stream, *sizes)

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Return what a request's body asks for."""
        found = PATTERN.search(body)
        assert found is not None, body
        number, kind, *sizes = found.groups()
        return cls(int(number), Kind(kind.decode()), b'"stream":true' in body, *map(int, sizes))

    def write(self) -> str:
        """Return the prompt."""
        return f"script {self.number} {self.kind} {self.input} {self.cached} {self.output}"
