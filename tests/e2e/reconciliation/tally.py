"""The clients' own tally, read back: how each call ended for whoever made it, and when."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.e2e.reconciliation.script import Kind


class Fate(StrEnum):
    """How a call ended for its client."""

    DONE = "D"
    # Answered with an error, whole or as the last event of a stream.
    REFUSED = "E"
    LEFT = "L"
    # The connection ended before the answer did.
    BROKEN = "B"


@dataclass(frozen=True, slots=True)
class Told:
    """One call; `record_id` is what its answer named, empty without one, `said` its status, or the code of its error."""

    fate: Fate
    kind: Kind
    record_id: str
    gateway: int
    payer: int
    begun_ns: int
    ended_ns: int
    said: str


def read_tally(path: Path) -> dict[int, Told]:
    """Return all calls by their number."""
    calls: dict[int, Told] = {}
    with path.open() as lines:
        for line in lines:
            fate, number, kind, record_id, gateway, payer, begun_ns, ended_ns, said = line.split()
            assert int(number) not in calls
            calls[int(number)] = Told(
                Fate(fate),
                Kind(kind),
                "" if record_id == "-" else record_id,
                int(gateway),
                int(payer),
                int(begun_ns),
                int(ended_ns),
                said,
            )
    return calls


class Progress:
    """How many calls have ended, read from a tally that grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._read, self.count = path, 0, 0

    def count_ended(self) -> int:
        """Return the number of lines so far."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                fresh = file.read()
            self._read += len(fresh)
            self.count += fresh.count(b"\n")
        return self.count
