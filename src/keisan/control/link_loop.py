"""Runs one connection to a neighbour, from its opening to its end: the machine, its session, and a channel that carries bytes."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from keisan.control.context import Control
from keisan.control.link_place import Ways
from keisan.control.link_question import LinkAnswers
from keisan.control.link_session import LinkSession
from keisan.domain.errors import InvalidInput, KeisanError, NeighbourUnreachable
from keisan.domain.link import Link, LinkSide
from keisan.domain.link_log import LinkLog, LogEnd
from keisan.domain.register import RegisterPlace
from keisan.federation.effect import Alarm, Answered, Asked, Close, Effect, NoteEpoch, NoteOffset, Send
from keisan.federation.link import LinkMachine, LinkOwn, LinkTime
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.observe import write_log

# Messages that wait to be sent or to be taken: a window has fewer, and a neighbour that does not read is silent before.
MESSAGES_WAITING_MAX = 4_096
# Who is heard all the time is written down this often.
NOTE_PERIOD_S = 10
CLOSE_S_MAX = 2


class LinkChannel(Protocol):
    """Carries messages of bytes to a neighbour and from it, whole and in order. Raises NeighbourUnreachable once it has ended."""

    async def send(self, data: bytes) -> None: ...
    async def receive(self) -> bytes: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LinkNews:
    """What has changed on disk since the last: ends of own logs, registers up to a change, and whether others are known now."""

    ends: dict[LinkLog, LogEnd]
    places: tuple[RegisterPlace, ...]
    change: int
    ways: Ways
    is_book_changed: bool


@dataclass(frozen=True, slots=True)
class LinkQuestion:
    """What is to be asked of the neighbour; `answered` is set once, or fails with the connection."""

    subject: str
    body: bytes
    answered: asyncio.Future[Answered]


class LinkLoop:
    """One connection. `outcome` is why it ended, None while it runs; once it is `settled`, it writes nothing more."""

    def __init__(self, control: Control, link: Link, channel: LinkChannel, release: str) -> None:
        self._control = control
        self._link = link
        self._channel = channel
        self._release = release
        self._session = LinkSession(control, link)
        self._machine: LinkMachine | None = None
        self._answers = LinkAnswers(control, link)
        self._asked: dict[int, asyncio.Future[Answered]] = {}
        self._questions = 0
        self._inbox: asyncio.Queue[bytes | LinkNews | LinkQuestion | None] = asyncio.Queue(MESSAGES_WAITING_MAX)
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue(MESSAGES_WAITING_MAX)
        self._offset_ms: int | None = None
        self._noted_s = 0.0
        self.outcome: Close | None = None
        self.settled = asyncio.Event()
        self._end_before_begun: Close | None = None

    @property
    def is_met(self) -> bool:
        """Tell whether both sides have said who they are."""
        return self._machine is not None and self._machine.is_met

    async def run(self, ways: Ways) -> Close:
        """Speak with the neighbour until either side ends it, and return why. Raises StorageUnavailable."""
        start = await self._session.load_start(ways)
        if self._end_before_begun is not None:
            await self._channel.close()
            return self._end_before_begun
        own = LinkOwn(
            platform_id=self._control.platform_id,
            neighbour_id=self._link.neighbour_id,
            is_child=self._link.side is LinkSide.PARENT,
            epoch=self._link.epoch,
            release=self._release,
        )
        self._machine = machine = LinkMachine(own, start)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read()), group.create_task(self._write())]
            try:
                await self._work(machine)
                self.settled.set()
                await self._send_rest()
            finally:
                self._forget_questions()
                for task in tasks:
                    task.cancel()
                await self._channel.close()
        assert self.outcome is not None
        return self.outcome

    def note(self, news: LinkNews) -> bool:
        """Tell of what has changed on disk; false if too much waits, so that it must be told again."""
        try:
            self._inbox.put_nowait(news)
        except asyncio.QueueFull:
            return False
        return True

    def ask(self, subject: str, body: bytes) -> asyncio.Future[Answered]:
        """Ask the neighbour something; the future raises NeighbourUnreachable if the connection ends before the answer."""
        answered: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        if self.is_met and self.outcome is None and not self._inbox.full():
            self._inbox.put_nowait(LinkQuestion(subject, body, answered))
        else:
            answered.set_exception(NeighbourUnreachable("the link takes no question now"))
        return answered

    def find_acknowledged(self, log: LinkLog, incarnation: UUID) -> int:
        """Return up to which sequence of an incarnation the neighbour has applied an own log, 0 before it has said."""
        if self._machine is None or self._machine.find_incarnation(log) != incarnation:
            return 0
        return self._machine.list_acknowledged().get(log, 0)

    def end(self, code: str, text: str) -> None:
        """End the connection from outside: another has taken its place, or the link is over."""
        if self._machine is None:
            self._end_before_begun = Close(code, text)
        elif not self._machine.is_closed:
            self._enqueue(self._machine.close(code, text))
            self._inbox_put_end()

    async def _work(self, machine: LinkMachine) -> None:
        await self._carry_out(machine, machine.open(read_time(self._control.clock)))
        while self.outcome is None:
            now = read_time(self._control.clock)
            wait_s = max(0, machine.next_tick_ms - now.monotonic_ms) / 1000
            try:
                async with asyncio.timeout(wait_s):
                    heard = await self._inbox.get()
            except TimeoutError:
                await self._carry_out(machine, machine.tick(read_time(self._control.clock)))
                continue
            try:
                await self._take(machine, heard)
                await self._note_heard(machine)
            except InvalidInput as fault:
                # What was sent is no letter: nothing of it was committed, and nothing more of this connection is believed.
                self._enqueue(machine.close(fault.code, fault.outside))
            except KeisanError as fault:
                # Nothing of it was committed: the next connection begins where the disk is.
                write_log("link.failed", neighbour_id=self._link.neighbour_id, code=fault.code, text=str(fault))
                self._enqueue(machine.close("storage", "this platform cannot write at the moment"))
            except (ArithmeticError, LookupError, TypeError, ValueError) as fault:
                # A value that nobody thought of: it ends this connection, and not the process with all others.
                write_log("link.failed", neighbour_id=self._link.neighbour_id, code="internal", text=repr(fault))
                self._enqueue(machine.close("internal", "this platform failed at what was sent"))

    async def _take(self, machine: LinkMachine, heard: bytes | LinkNews | LinkQuestion | None) -> None:
        if heard is None:
            self.outcome = self.outcome or Close("lost", "the connection ended")
        elif isinstance(heard, bytes):
            was_met = machine.is_met
            effects = machine.receive(heard, read_time(self._control.clock))
            if machine.is_met and not was_met:
                write_log(
                    "link.open", neighbour_id=self._link.neighbour_id, epoch=self._link.epoch, minor=machine.minor
                )
            await self._carry_out(machine, effects)
        elif isinstance(heard, LinkQuestion):
            self._questions += 1
            self._asked[self._questions] = heard.answered
            await self._carry_out(machine, machine.ask(heard.subject, heard.body))
        else:
            if heard.is_book_changed:
                await self._session.take_book(machine)
            effects = machine.note_lines(self._session.list_offered(heard.places, heard.ways))
            effects += machine.note_returned(self._session.list_held(heard.places))
            for log, end in heard.ends.items():
                effects += machine.note_end(log, end)
            await self._carry_out(machine, effects)
            self._session.note_told(heard.change)
        await self._session.return_letters(machine)

    async def _carry_out(self, machine: LinkMachine, effects: Iterable[Effect]) -> None:
        waiting = deque(effects)
        while waiting and self.outcome is None:
            effect = waiting.popleft()
            match effect:
                case Send() | Close():
                    self._enqueue([effect])
                case NoteEpoch(epoch):
                    await self._session.note_epoch(epoch)
                case NoteOffset(offset_ms):
                    self._offset_ms = offset_ms
                case Asked(number, subject, body):
                    waiting.extend(machine.answer(number, *await self._answers.answer(subject, body)))
                case Answered(number):
                    self._hand_over(number, effect)
                case Alarm(code, text):
                    write_log("link.alarm", neighbour_id=self._link.neighbour_id, code=code, text=text)
                case _:
                    waiting.extend(await self._session.carry_out(machine, effect))

    def _hand_over(self, number: int, answered: Answered) -> None:
        waiting = self._asked.pop(number)
        # Whoever asked may have gone.
        if not waiting.done():
            waiting.set_result(answered)

    def _forget_questions(self) -> None:
        """Tell whoever waits for an answer that none comes, those too whose question was not sent yet."""
        while not self._inbox.empty():
            heard = self._inbox.get_nowait()
            if isinstance(heard, LinkQuestion):
                self._questions += 1
                self._asked[self._questions] = heard.answered
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(NeighbourUnreachable("the link's connection ended"))
                # Nobody may look any more, which is no fault.
                waiting.exception()
        self._asked.clear()

    def _enqueue(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Close):
                self.outcome = effect
            elif isinstance(effect, Send):
                try:
                    self._outbox.put_nowait(effect.data)
                except asyncio.QueueFull:
                    self.outcome = Close("slow", "the neighbour does not read")

    def _inbox_put_end(self) -> None:
        try:
            self._inbox.put_nowait(None)
        except asyncio.QueueFull:
            # There is something to wake up for.
            return

    async def _read(self) -> None:
        try:
            while True:
                await self._inbox.put(await self._channel.receive())
        except NeighbourUnreachable:
            await self._inbox.put(None)

    async def _write(self) -> None:
        try:
            while True:
                await self._channel.send(await self._outbox.get())
                self._outbox.task_done()
        except NeighbourUnreachable:
            await self._inbox.put(None)

    async def _send_rest(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._outbox.join()
        except TimeoutError:
            return

    async def _note_heard(self, machine: LinkMachine) -> None:
        now_s = self._control.clock.monotonic_s()
        if machine.is_met and now_s - self._noted_s >= NOTE_PERIOD_S:
            self._noted_s = now_s
            await self._session.note_heard(machine, self._offset_ms)


def read_time(clock: Clock) -> LinkTime:
    """Return the moment by both clocks of this host."""
    return LinkTime(int(clock.monotonic_s() * 1000), to_milliseconds(clock.now()))
