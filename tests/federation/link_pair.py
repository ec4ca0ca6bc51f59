"""Two sides of one link in memory: each a disk and a machine, joined by a wire that hands one message over at a time."""

import hashlib
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from keisan.domain.ids import LetterId, PlatformId, hash_public_key
from keisan.domain.letter import Letter
from keisan.domain.link_log import FIRST_HASH, LinkLog, LogCursor, LogEnd, LogItem, extend_hash
from keisan.domain.register import RegisterKey, RegisterLine, RegisterMark
from keisan.federation.effect import (
    Alarm,
    Answered,
    ApplyItems,
    ApplyReturned,
    Asked,
    Close,
    Effect,
    FindHash,
    MergeLetters,
    NoteEpoch,
    NoteOffset,
    OpenIncarnation,
    ReadItems,
    ReadLetters,
    ReadReturns,
    Send,
)
from keisan.federation.link import LinkMachine, LinkOwn, LinkStart, LinkTime
from keisan.kit.ids import create_id
from keisan.wire.letter import LetterDraft, decode_letter, encode_letter, sign_letter


@dataclass
class HashSigner:
    """Signs by a hash: enough where nobody forges, and a hundred times faster."""

    public_key: bytes

    def sign(self, content: bytes) -> bytes:
        return hashlib.sha512(self.public_key + content).digest()


@dataclass
class OwnLog:
    incarnation: UUID = field(default_factory=uuid4)
    letters: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=lambda: [FIRST_HASH])
    trimmed: int = 0

    @property
    def end(self) -> LogEnd:
        return LogEnd(self.incarnation, len(self.letters), self.hashes[-1], self.trimmed, self.hashes[self.trimmed])

    def append(self, letter: bytes) -> None:
        self.letters.append(letter)
        self.hashes.append(extend_hash(self.hashes[-1], letter))

    def reopen(self) -> None:
        kept = self.letters[self.trimmed :]
        self.incarnation, self.letters, self.hashes, self.trimmed = uuid4(), [], [FIRST_HASH], 0
        for letter in kept:
            self.append(letter)


@dataclass
class Disk:
    epoch: int = 1
    logs: dict[LinkLog, OwnLog] = field(default_factory=dict)
    cursors: dict[LinkLog, LogCursor] = field(default_factory=dict)
    received: dict[LinkLog, list[bytes]] = field(default_factory=lambda: {log: [] for log in LinkLog})
    regained: list[bytes] = field(default_factory=list)
    registers: dict[RegisterKey, bytes] = field(default_factory=dict)
    held: dict[RegisterKey, bytes] = field(default_factory=dict)


def describe(key: RegisterKey, letter: bytes) -> RegisterLine:
    found = decode_letter(letter)
    return RegisterLine(key, RegisterMark(found.version, hashlib.sha256(found.content).digest()))


class Side:
    """One platform with its disk; `machine` is that of the connection that is open."""

    def __init__(self, name: str, *, is_child: bool) -> None:
        self.signer = HashSigner(hashlib.sha256(name.encode()).digest())
        self.id = hash_public_key(self.signer.public_key)
        self.is_child = is_child
        self.disk = Disk()
        self.machine: LinkMachine | None = None
        self.sent: deque[bytes] = deque()
        self.seen: list[Effect] = []
        self.closed: Close | None = None
        self.answer: Callable[[Asked], tuple[str, bytes]] = lambda asked: ("", asked.body)

    def begin(self, neighbour_id: PlatformId, now: LinkTime) -> None:
        disk = self.disk
        own = LinkOwn(self.id, neighbour_id, self.is_child, disk.epoch, "test")
        offered = [describe(key, letter) for key, letter in disk.registers.items()]
        held = [describe(key, letter) for key, letter in disk.held.items()]
        ends = {log: each.end for log, each in disk.logs.items()}
        self.machine = LinkMachine(own, LinkStart(ends, dict(disk.cursors), offered, held))
        self.sent.clear()
        self.closed = None
        self.run(self.machine.open(now))

    @property
    def speaking(self) -> LinkMachine:
        assert self.machine is not None
        return self.machine

    def make(self, body: bytes = b"", name: str = "", version: int = 0) -> Letter:
        draft = LetterDraft(id=LetterId(create_id()), kind="event", made_at_ms=1, name=name, version=version, body=body)
        return sign_letter(draft, self.id, self.signer)

    def write(self, *bodies: bytes, log: LinkLog = LinkLog.LEDGER) -> None:
        own = self.disk.logs.setdefault(log, OwnLog())
        for body in bodies:
            own.append(encode_letter(self.make(body)))
        if self.machine is not None:
            self.run(self.machine.note_end(log, own.end))

    def put(self, name: str, version: int, body: bytes = b"") -> None:
        letter = self.make(body, name, version)
        key = RegisterKey(self.id, letter.kind, name)
        self.disk.registers[key] = encode_letter(letter)
        if self.machine is not None:
            self.run(self.machine.note_lines([describe(key, self.disk.registers[key])]))

    def run(self, effects: list[Effect]) -> None:
        waiting = deque(effects)
        while waiting:
            effect = waiting.popleft()
            self.seen.append(effect)
            waiting.extend(self._carry_out(effect))

    def _carry_out(self, effect: Effect) -> list[Effect]:
        machine, disk = self.speaking, self.disk
        match effect:
            case Send(data):
                self.sent.append(data)
            case Close():
                self.closed = effect
            case NoteEpoch(epoch):
                disk.epoch = epoch
            case FindHash(log, sequence):
                own = disk.logs[log]
                is_kept = own.trimmed <= sequence <= len(own.letters)
                return machine.take_hash(log, own.hashes[sequence] if is_kept else None)
            case OpenIncarnation(log):
                disk.logs.setdefault(log, OwnLog()).reopen()
                return machine.take_opened(log, disk.logs[log].end)
            case ReadItems(log, after, _):
                own = disk.logs[log]
                items = [
                    LogItem(place + 1, own.hashes[place + 1], decode_letter(own.letters[place]).id, own.letters[place])
                    for place in range(after, min(after + 3, len(own.letters)))
                ]
                return machine.take_items(log, items)
            case ApplyItems(log, before, after, letters):
                assert disk.cursors.get(log) == before
                disk.cursors[log] = after
                known = set(disk.received[log])
                disk.received[log] += [letter for letter in letters if letter not in known]
                return machine.take_applied(log, after)
            case ReadReturns(log, after_id, _):
                ids = [decode_letter(letter).id for letter in disk.received[log]]
                start = 0 if after_id is None else ids.index(after_id) + 1
                return machine.take_returns(log, disk.received[log][start : start + 2])
            case ApplyReturned(log, number, letters):
                disk.regained += letters
                return machine.take_regained(log, number)
            case ReadLetters(keys):
                everything = {**disk.held, **disk.registers}
                return machine.take_letters([everything[key] for key in keys if key in everything])
            case MergeLetters(number, letters):
                return machine.take_merged(number, [self._merge(letter) for letter in letters])
            case Asked():
                return machine.answer(effect.number, *self.answer(effect))
            case Alarm() | NoteOffset() | Answered():
                pass
        return []

    def _merge(self, letter: bytes) -> RegisterLine:
        found = decode_letter(letter)
        key = RegisterKey(found.author, found.kind, found.name)
        place = self.disk.registers if found.author == self.id else self.disk.held
        kept = place.get(key)
        if describe(key, letter).mark.is_newer_than(None if kept is None else describe(key, kept).mark):
            place[key] = letter
        return describe(key, place[key])


class Pair:
    """A parent and a child, and the wire between them."""

    def __init__(self) -> None:
        self.parent = Side("parent", is_child=False)
        self.child = Side("child", is_child=True)
        self.now = LinkTime(0, 1_000_000)

    def connect(self) -> None:
        self.parent.begin(self.child.id, self.now)
        self.child.begin(self.parent.id, self.now)

    def exchange(self) -> None:
        """Hand messages over until nobody says anything more."""
        while self.parent.sent or self.child.sent:
            for sender, receiver in ((self.parent, self.child), (self.child, self.parent)):
                if sender.sent:
                    receiver.run(receiver.speaking.receive(sender.sent.popleft(), self.now))

    def meet(self) -> None:
        self.connect()
        self.exchange()

    def pass_time(self, milliseconds: int) -> None:
        self.now = LinkTime(self.now.monotonic_ms + milliseconds, self.now.wall_ms + milliseconds)


def copy_disk(side: Side) -> Disk:
    return deepcopy(side.disk)


def list_bodies(letters: list[bytes]) -> list[bytes]:
    return [decode_letter(letter).body for letter in letters]
