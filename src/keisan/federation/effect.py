"""What a link's machine asks of its driver. Effects are carried out in order; those that read or write are answered."""

from dataclasses import dataclass

from keisan.domain.ids import LetterId
from keisan.domain.link_log import LinkLog, LogCursor
from keisan.domain.register import RegisterKey


@dataclass(frozen=True, slots=True)
class Send:
    """Send one message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection, after what is sent already; nothing of this machine is heard any more."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Tell people: something was lost or refused that the protocol alone cannot mend."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class NoteEpoch:
    """Persist a higher link epoch before anything else is done."""

    epoch: int


@dataclass(frozen=True, slots=True)
class NoteOffset:
    """The neighbour's clock is ahead by so much, give or take half of the round trip."""

    offset_ms: int
    round_trip_ms: int


@dataclass(frozen=True, slots=True)
class FindHash:
    """Find the running hash of an own log at a sequence; answered by `take_hash`."""

    log: LinkLog
    sequence: int


@dataclass(frozen=True, slots=True)
class OpenIncarnation:
    """Begin another incarnation of an own log with all that it keeps; answered by `take_opened`."""

    log: LinkLog


@dataclass(frozen=True, slots=True)
class ReadItems:
    """Read an own log; answered by `take_items`."""

    log: LinkLog
    after_sequence: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class ApplyItems:
    """Apply letters of the neighbour and move the cursor, in one transaction; answered by `take_applied` after its commit."""

    log: LinkLog
    before: LogCursor | None
    after: LogCursor
    letters: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReadReturns:
    """Read what is kept of the neighbour's log, after one of its letters; answered by `take_returns`."""

    log: LinkLog
    after: LetterId | None
    bytes_max: int


@dataclass(frozen=True, slots=True)
class ApplyReturned:
    """Take back letters that this side once sent and may have lost; answered by `take_regained` after the commit."""

    log: LinkLog
    number: int
    letters: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReadLetters:
    """Read the newest of some registers; answered by `take_letters`."""

    keys: tuple[RegisterKey, ...]


@dataclass(frozen=True, slots=True)
class MergeLetters:
    """Keep registers that are newer than what is kept; answered by `take_merged` after the commit."""

    number: int
    letters: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The neighbour asks something; answered by `answer`, once."""

    number: int
    subject: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The neighbour answers what was asked: with an error's code, or an empty one."""

    number: int
    code: str
    body: bytes


Effect = (
    Send
    | Close
    | Alarm
    | NoteEpoch
    | NoteOffset
    | FindHash
    | OpenIncarnation
    | ReadItems
    | ApplyItems
    | ReadReturns
    | ApplyReturned
    | ReadLetters
    | MergeLetters
    | Asked
    | Answered
)


class LinkFault(Exception):  # not an error of the tree: it never leaves the machine
    """The neighbour broke the protocol, or both must compare anew: the connection ends with this code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
