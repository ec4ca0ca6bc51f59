"""The link's protocol as a machine without I/O: bytes, ticks and answers in, effects out. One lives as long as one connection.

What must outlive it (cursors, ends, registers, the link epoch) is its driver's to keep; it is told of it when it begins.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId
from keisan.domain.limits import (
    GRANT_EPOCH_JUMP_MAX,
    LINK_BATCH_BYTES,
    LINK_OFFSET_MS_BOUND,
    LINK_PING_MS,
    LINK_SILENCE_MS_MAX,
)
from keisan.domain.link_log import LinkLog, LogCursor, LogEnd, LogItem
from keisan.domain.register import RegisterLine
from keisan.federation.effect import (
    Answered,
    ApplyReturned,
    Asked,
    Close,
    Effect,
    LinkFault,
    NoteEpoch,
    NoteOffset,
    Send,
)
from keisan.federation.link_turn import Turns
from keisan.federation.log_sending import LogSending, describe_end
from keisan.federation.log_taking import LogTaking
from keisan.federation.register_sending import RegisterSending
from keisan.federation.register_taking import RegisterTaking
from keisan.wire.link import (
    LINK_MAJOR,
    LINK_MINOR,
    Ack,
    Answer,
    Ask,
    Bye,
    Cursor,
    Fork,
    Hello,
    Items,
    Lines,
    LinkMessage,
    Merged,
    Ping,
    Pong,
    Regained,
    Registers,
    Returned,
    Want,
    decode_message,
    encode_message,
)

QUESTIONS_OPEN_MAX = 64
_LOGS = {log.value: log for log in LinkLog}


class LinkTime(NamedTuple):
    """A moment by both clocks: waiting is reckoned by the one that never goes back, offsets by the one on the wall."""

    monotonic_ms: int
    wall_ms: int


@dataclass(frozen=True, slots=True)
class LinkOwn:
    """Who speaks to whom, in which epoch of their link. The child is whose word on the epoch holds."""

    platform_id: PlatformId
    neighbour_id: PlatformId
    is_child: bool
    epoch: int
    release: str
    minor: int = LINK_MINOR


@dataclass(frozen=True, slots=True)
class LinkStart:
    """What is on disk when the connection begins. `offered` is what this neighbour may have, `held` what came from it."""

    ends: Mapping[LinkLog, LogEnd]
    cursors: Mapping[LinkLog, LogCursor]
    offered: Iterable[RegisterLine]
    held: Iterable[RegisterLine]


class LinkMachine:
    """Speaks for one side of one connection. Each method returns effects, to be carried out in order."""

    def __init__(self, own: LinkOwn, start: LinkStart) -> None:
        self._own = own
        self._sending = {log: LogSending(log, start.ends.get(log)) for log in LinkLog}
        self._taking = {log: LogTaking(log, start.cursors.get(log)) for log in LinkLog}
        self._registers = RegisterSending(start.offered)
        self._held = RegisterTaking(start.held)
        self._turns = Turns()
        self._silent_ms = self._looked_ms = self._pinged_ms = 0
        self._asked: set[int] = set()
        self._questions = 0
        self._to_answer: set[int] = set()
        self.is_met = False
        self.is_closed = False
        self.minor = own.minor
        self.passed_over = 0

    # What its driver says.

    def open(self, now: LinkTime) -> list[Effect]:
        """Begin: both sides say what they have."""
        self._looked_ms = self._pinged_ms = now.monotonic_ms
        hello = Hello(
            major=LINK_MAJOR,
            minor=self._own.minor,
            release=self._own.release,
            platform_id=self._own.platform_id,
            link_epoch=self._own.epoch,
            ends={log: describe_end(each.end) for log, each in self._sending.items() if each.end},
            cursors={log: _describe_cursor(each.cursor) for log, each in self._taking.items() if each.cursor},
            buckets=self._held.digest(),
            now_ms=now.wall_ms,
        )
        return [_send(hello)]

    def receive(self, data: bytes, now: LinkTime) -> list[Effect]:
        """Take one message of the neighbour."""
        self._silent_ms, self._looked_ms = 0, now.monotonic_ms
        return self._guard(lambda: self._receive(data, now))

    def tick(self, now: LinkTime) -> list[Effect]:
        """Take that time has passed: `next_tick_ms` says when to call this."""
        if self.is_closed:
            return []
        # A tick is due with each ping at the latest: past that this side was held up, and what was said meanwhile lies unread.
        self._silent_ms += min(now.monotonic_ms - self._looked_ms, LINK_PING_MS)
        self._looked_ms = now.monotonic_ms
        if self._silent_ms >= LINK_SILENCE_MS_MAX:
            return self._close("silent", f"nothing was heard for {LINK_SILENCE_MS_MAX} ms")
        if now.monotonic_ms - self._pinged_ms < LINK_PING_MS:
            return []
        self._pinged_ms = now.monotonic_ms
        return [_send(Ping(sent_ms=now.wall_ms))]

    @property
    def next_tick_ms(self) -> int:
        """Return by the monotonic clock when `tick` has something to do at the earliest."""
        return min(self._looked_ms + LINK_SILENCE_MS_MAX - self._silent_ms, self._pinged_ms + LINK_PING_MS)

    def take_hash(self, log: LinkLog, found: bytes | None) -> list[Effect]:
        """Take the answer to FindHash; None where the sequence is not kept."""
        return self._guard(lambda: self._sending[log].take_hash(found))

    def take_opened(self, log: LinkLog, end: LogEnd) -> list[Effect]:
        """Take the answer to OpenIncarnation."""
        return self._guard(lambda: self._sending[log].take_opened(end))

    def take_items(self, log: LinkLog, items: Sequence[LogItem]) -> list[Effect]:
        """Take the answer to ReadItems."""
        return self._guard(lambda: self._sending[log].take_items(tuple(items)))

    def take_applied(self, log: LinkLog, cursor: LogCursor) -> list[Effect]:
        """Take the answer to ApplyItems: its transaction has committed."""
        return self._guard(lambda: self._taking[log].take_applied(cursor))

    def take_returns(self, log: LinkLog, letters: Sequence[bytes]) -> list[Effect]:
        """Take the answer to ReadReturns."""
        return self._guard(lambda: self._taking[log].take_returns(tuple(letters)))

    def take_regained(self, log: LinkLog, number: int) -> list[Effect]:
        """Take the answer to ApplyReturned: its transaction has committed."""
        return self._guard(lambda: [_send(Regained(log=log, number=number))])

    def take_letters(self, letters: Sequence[bytes]) -> list[Effect]:
        """Take the answer to ReadLetters."""
        return self._guard(lambda: self._registers.take_letters(tuple(letters)))

    def take_merged(self, number: int, lines: Iterable[RegisterLine]) -> list[Effect]:
        """Take the answer to MergeLetters: its transaction has committed; `lines` is what is kept now of these keys."""
        return self._guard(lambda: self._held.take_merged(number, lines))

    def note_end(self, log: LinkLog, end: LogEnd) -> list[Effect]:
        """Take that an own log has grown."""
        return self._guard(lambda: self._sending[log].note_end(end))

    def note_lines(self, lines: Iterable[RegisterLine]) -> list[Effect]:
        """Take that registers which this neighbour may have are others now."""
        return self._guard(lambda: self._registers.note_lines(lines))

    def note_returned(self, lines: Iterable[RegisterLine]) -> list[Effect]:
        """Take that registers of the neighbour's side are kept which did not come from it: it has lost them, and gets them back."""
        return self._guard(lambda: self._registers.send_back(self._held.note_returned(lines)))

    def note_held(self, lines: Iterable[RegisterLine]) -> None:
        """Take that registers of this neighbour are kept after all: whoever vouches for their author has been heard meanwhile."""
        self._held.held.update((line.key, line.mark) for line in lines)

    @property
    def is_in_step(self) -> bool:
        """Tell whether the neighbour has answered for all registers that it may have, as far as this side has been told of them."""
        return self.is_met and self._registers.is_in_step

    def find_incarnation(self, log: LinkLog) -> UUID | None:
        """Return in which incarnation an own log is sent, None before there is one."""
        end = self._sending[log].end
        return None if end is None else end.incarnation

    def list_acknowledged(self) -> dict[LinkLog, int]:
        """Return how far the neighbour has applied each own log, as far as it has said."""
        return {log: each.acknowledged for log, each in self._sending.items() if each.acknowledged}

    def ask(self, subject: str, body: bytes) -> list[Effect]:
        """Ask the neighbour something; the questions are numbered from 1 in their order."""
        self._questions += 1
        self._asked.add(self._questions)
        return [_send(Ask(number=self._questions, subject=subject, body=body))]

    def answer(self, number: int, code: str, body: bytes) -> list[Effect]:
        """Answer what the neighbour asked."""
        self._to_answer.remove(number)
        return [] if self.is_closed else [_send(Answer(number=number, code=code, body=body))]

    def close(self, code: str, text: str) -> list[Effect]:
        """End the connection, and say why."""
        return [] if self.is_closed else self._close(code, text)

    # What the neighbour says.

    def _receive(self, data: bytes, now: LinkTime) -> list[Effect] | None:
        message = decode_message(data)
        if message is None:
            self.passed_over += 1
            return []
        if isinstance(message, Bye):
            self.is_closed = True
            return [Close(message.code, f"the neighbour closed: {message.text}")]
        if not self.is_met:
            if not isinstance(message, Hello):
                raise LinkFault("no_hello", "the first message says who speaks")
            return self._meet(message)
        return self._take(message, now)

    def _meet(self, hello: Hello) -> list[Effect]:
        own = self._own
        if hello.platform_id != own.neighbour_id:
            raise LinkFault("wrong_platform", "the certificate is another platform's")
        if hello.major != LINK_MAJOR:
            raise LinkFault(
                "wrong_version", f"this platform speaks version {LINK_MAJOR} of the link, got {hello.major}"
            )
        self.minor = min(own.minor, hello.minor)
        if is_behind(own.epoch, hello.link_epoch, is_child=own.is_child):
            raise LinkFault("old_epoch", f"the link is in epoch {own.epoch}, got {hello.link_epoch}")
        if hello.link_epoch > own.epoch + GRANT_EPOCH_JUMP_MAX:
            # No disk is so old: whoever believed it would be at the last epoch there is, and could never join anybody again.
            raise LinkFault("wrong_epoch", f"the link is in epoch {own.epoch}, got {hello.link_epoch}")
        effects: list[Effect] = []
        if hello.link_epoch > own.epoch:
            if own.is_child:
                # Its disk is older than what the parent remembers: nobody else gives out epochs, so a new one begins.
                return [NoteEpoch(hello.link_epoch + 1), *self._close("new_epoch", "the link begins a new epoch")]
            effects.append(NoteEpoch(hello.link_epoch))
        self.is_met = True
        for log, taking in self._taking.items():
            end = hello.ends.get(log)
            effects += taking.meet(end.incarnation if end else None)
        for log, sending in self._sending.items():
            effects += sending.meet(_read_cursor(hello.cursors.get(log)))
        self._registers.meet(hello.buckets)
        return effects

    def _take(self, message: LinkMessage, now: LinkTime) -> list[Effect] | None:
        match message:
            case Items():
                return self._taking[_find_log(message.log)].take_items(message)
            case Ack():
                self._turns.note_log_answered(self._sending[_find_log(message.log)].take_ack(message))
                return None
            case Want():
                self._turns.note_answered(self._registers.take_want(message))
                return None
            case Merged():
                self._turns.note_answered(self._registers.take_merged(message.number))
                return None
            case Fork():
                return self._taking[_find_log(message.log)].take_fork(message.end.incarnation)
            case Returned():
                return [ApplyReturned(_find_log(message.log), message.number, message.letters)]
            case Regained():
                return self._taking[_find_log(message.log)].take_regained(message.number)
            case Lines():
                effects, lost = self._held.take_lines(message)
                self._registers.send_back(lost)
                return effects
            case Registers():
                return self._held.take_registers(message)
            case Ping():
                return [_send(Pong(sent_ms=message.sent_ms, now_ms=now.wall_ms))]
            case Pong():
                offset_ms = message.now_ms - (message.sent_ms + now.wall_ms) // 2
                if abs(offset_ms) > LINK_OFFSET_MS_BOUND:
                    raise LinkFault("wrong_clock", f"a clock that is {offset_ms} ms ahead is none")
                return [NoteOffset(offset_ms, now.wall_ms - message.sent_ms)]
            case Ask():
                return self._take_ask(message)
            case Answer():
                return self._take_answer(message)
            case _:
                raise LinkFault("second_hello", "a connection begins once")

    def _take_ask(self, message: Ask) -> list[Effect]:
        if len(self._to_answer) >= QUESTIONS_OPEN_MAX or message.number in self._to_answer:
            raise LinkFault("flood", f"at most {QUESTIONS_OPEN_MAX} questions are open, each with a number of its own")
        self._to_answer.add(message.number)
        return [Asked(message.number, message.subject, message.body)]

    def _take_answer(self, message: Answer) -> list[Effect]:
        if message.number not in self._asked:
            raise LinkFault("wrong_answer", f"question {message.number} was not asked")
        self._asked.remove(message.number)
        return [Answered(message.number, message.code, message.body)]

    # What follows from all of it.

    def _guard(self, act: Callable[[], list[Effect] | None]) -> list[Effect]:
        """Return the effects of one step and of what may be sent after it; a fault of the neighbour's ends the connection."""
        if self.is_closed:
            return []
        try:
            effects = act() or []
        except LinkFault as fault:
            return self._close(fault.code, fault.text)
        except InvalidInput as fault:
            return self._close(fault.code, fault.outside)
        return [*effects, *self._pump()]

    def _pump(self) -> list[Effect]:
        """Send what there is room for, by turns, and read ahead one batch of each."""
        effects: list[Effect] = []
        if self.is_closed or not self.is_met:
            return effects
        while self._turns.has_room and (message := self._take_turn()) is not None:
            effects.append(_send(message))
        for sending in self._sending.values():
            effects += sending.want_items()
        return effects + self._registers.want_letters()

    def _take_turn(self) -> LinkMessage | None:
        """Return the next message of what is loaded, of logs or of state, as it is their turn; None if nothing may go."""
        turns, registers, logs = self._turns, self._registers, self._sending.values()
        is_state_loaded = registers.is_loaded
        loaded = [each for each in logs if each.is_loaded]
        if loaded and turns.has_log_room and turns.is_log_next(is_state_loaded, log_waits=True):
            message, size = loaded[0].send_items()
            turns.note_log(size, state_waits=is_state_loaded)
        elif is_state_loaded:
            message, size = registers.send_next(LINK_BATCH_BYTES)
            turns.note_state(size, log_waits=any(each.is_waiting for each in logs))
        else:
            return None
        return message

    def _close(self, code: str, text: str) -> list[Effect]:
        self.is_closed = True
        return [_send(Bye(code=code, text=text)), Close(code, text)]


def is_behind(own_epoch: int, heard_epoch: int, *, is_child: bool) -> bool:
    """Tell whether a neighbour speaks of an epoch that is over. A child's own is the newest there is: its parent may lag."""
    return not is_child and heard_epoch < own_epoch


def _send(message: LinkMessage) -> Send:
    return Send(encode_message(message))


def _find_log(name: str) -> LinkLog:
    if name not in _LOGS:
        raise LinkFault("unknown_log", f"there is no log {name!r}")
    return _LOGS[name]


def _describe_cursor(cursor: LogCursor) -> Cursor:
    return Cursor(incarnation=cursor.incarnation, sequence=cursor.sequence, hash=cursor.hash)


def _read_cursor(cursor: Cursor | None) -> LogCursor | None:
    return None if cursor is None else LogCursor(cursor.incarnation, cursor.sequence, cursor.hash)
