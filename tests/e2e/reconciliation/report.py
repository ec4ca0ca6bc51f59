"""The engine's own log, read back: what it reported of each call, and so what the call may be billed for (R6)."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Word(StrEnum):
    """What a line of the log says; RUNNING, FINAL and ANSWERED tell of usage that was reported to the gateway."""

    ASKED = "A"
    RUNNING = "R"
    FINAL = "F"
    ANSWERED = "J"
    # Half of a JSON answer: its usage never arrived, so nothing of it is billed.
    HALF = "H"
    SILENT = "N"
    REFUSED = "X"
    # Hung up on before a word was said.
    LOST = "Z"
    # The gateway ended the connection amid the call.
    GONE = "G"


USAGE_WORDS = frozenset({Word.RUNNING, Word.FINAL, Word.ANSWERED})


@dataclass(slots=True)
class Reported:
    """What was reported of one record: by which replica, in tokens; `word` is the last that told of usage, None without."""

    number: int
    place: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    word: Word | None = None
    last_ns: int = 0


def read_reports(log: Path) -> dict[str, Reported]:
    """Return the last usage that was reported of each record."""
    found: dict[str, Reported] = {}
    with log.open() as lines:
        for line in lines:
            letter, record_id, *rest = line.split()
            number, place, computed, cached, output, instant_ns = map(int, rest)
            one = found.get(record_id)
            if one is None:
                one = found[record_id] = Reported(number)
            assert one.number == number, f"two calls have the id {record_id}: {one.number} and {number}"
            one.last_ns = instant_ns
            word = Word(letter)
            if word is not Word.GONE:
                one.place = place
            if word in USAGE_WORDS:
                assert one.word in {None, Word.RUNNING}, f"usage of {record_id} was reported after its end"
                one.input, one.cached, one.output, one.word = computed, cached, output, word
    return found
