"""What a link's machine asks for, carried out in transactions: one session for one connection."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import uuid4

from keisan.control.context import Control
from keisan.control.fence import follow_link
from keisan.control.letter_handler import deliver_items, list_retried, retry_letters
from keisan.control.link_place import Ways, is_offered, list_held
from keisan.control.link_return import take_back
from keisan.control.register import merge_registers
from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId
from keisan.domain.letter import Arrival, Letter
from keisan.domain.link import Link
from keisan.domain.link_log import LinkLog, LogCursor, LogEnd
from keisan.domain.register import RegisterKey, RegisterLine, RegisterPlace
from keisan.federation.effect import (
    ApplyItems,
    ApplyReturned,
    Effect,
    FindHash,
    MergeLetters,
    OpenIncarnation,
    ReadItems,
    ReadLetters,
    ReadReturns,
)
from keisan.federation.link import LinkMachine, LinkStart
from keisan.wire.letter import decode_letter, encode_letter

# Letters of authors that nobody vouches for yet, kept for a while: whoever vouches may be heard by another link.
UNKNOWN_MAX = 10_000


class LinkSession:
    """The disk's side of one connection to a neighbour."""

    def __init__(self, control: Control, link: Link) -> None:
        self._control = control
        self._link = link
        self._unknown: dict[RegisterKey, Letter] = {}
        self._is_return_due = True
        # The last change of a register that the machine was told of.
        self._told_change = 0

    async def load_start(self, ways: Ways) -> LinkStart:
        """Return what is on disk now; `ways` says towards which link each audience of a register is."""
        scope, link = PlatformScope(), self._link
        async with self._control.storage.read() as view:
            ends = {log: await view.outgoing_logs.get_end(scope, link.id, log) for log in LinkLog}
            cursors = {log: await view.incoming_logs.get_cursor(scope, link.id, log) for log in LinkLog}
            places = await view.registers.list_places(scope, 0)
        self.note_told(max((place.change for place in places), default=0))
        return LinkStart(
            ends={log: end for log, end in ends.items() if end is not None},
            cursors={log: cursor for log, cursor in cursors.items() if cursor is not None},
            offered=self.list_offered(places, ways),
            held=[place.line for place in list_held(places, link)],
        )

    def list_offered(self, places: Iterable[RegisterPlace], ways: Ways) -> list[RegisterLine]:
        """Return the lines of those registers that the neighbour may have."""
        return [place.line for place in places if is_offered(place, self._link, _find_way(place, ways))]

    def list_held(self, places: Iterable[RegisterPlace]) -> list[RegisterLine]:
        """Return the lines of those registers that come from the neighbour's side."""
        return [place.line for place in list_held(places, self._link)]

    async def carry_out(self, machine: LinkMachine, effect: Effect) -> list[Effect]:
        """Read or write what a machine asks for, and return what it asks for next. Raises StorageUnavailable.

        What changes is committed when this returns: only then the machine hears of it.
        """
        match effect:
            case FindHash(log, sequence):
                async with self._control.storage.read() as view:
                    found = await view.outgoing_logs.find_hash(PlatformScope(), self._link.id, log, sequence)
                return machine.take_hash(log, found)
            case ReadItems(log, after_sequence, bytes_max):
                incarnation, streams = machine.find_incarnation(log), self._control.get_streams()
                assert incarnation is not None
                items = await streams.read(self._link.id, log, incarnation, after_sequence, bytes_max)
                return machine.take_items(log, items)
            case ReadReturns(log, after, bytes_max):
                async with self._control.storage.read() as view:
                    kept = await view.incoming_logs.read(PlatformScope(), self._link.id, log, after, bytes_max)
                return machine.take_returns(log, kept)
            case ReadLetters(keys):
                async with self._control.storage.read() as view:
                    letters = await view.registers.list_letters(PlatformScope(), keys)
                return machine.take_letters([encode_letter(letter) for letter in letters])
            case OpenIncarnation(log):
                return machine.take_opened(log, await self._open_incarnation(log))
            case ApplyItems():
                return machine.take_applied(effect.log, await self._apply_items(effect))
            case ApplyReturned(log, number, returned):
                await self._take_back(log, returned)
                return machine.take_regained(log, number)
            case MergeLetters(number, merged):
                return machine.take_merged(number, await self._merge(map(decode_letter, merged)))
            case _:
                return []

    def note_told(self, change: int) -> None:
        """Take up to which change of registers the machine has been told."""
        self._told_change = change

    async def take_book(self, machine: LinkMachine) -> None:
        """Take that others are known now than before: look again at registers whose author nobody vouched for."""
        self._is_return_due = True
        if self._unknown:
            letters, self._unknown = list(self._unknown.values()), {}
            machine.note_held(await self._merge(letters))

    async def return_letters(self, machine: LinkMachine) -> None:
        """Let letters that came from the neighbour and belong there go back, as soon as it knows all that is known here."""
        if not (self._is_return_due and machine.is_in_step):
            return
        async with self._control.storage.read() as view:
            self._is_return_due = bool(await list_retried(view, self._link.id))
        if not self._is_return_due:
            return
        async with self._control.storage.write() as transaction:
            if await transaction.registers.list_places(PlatformScope(), self._told_change):
                # More is known here than the machine was told of, and it is about to be.
                return
            await retry_letters(transaction, self._control, self._link.id)
        self._is_return_due = False
        self._control.link_bell.ring()

    async def note_heard(self, machine: LinkMachine, offset_ms: int | None) -> None:
        """Write down when the neighbour was heard last, how far ahead its clock is, and what of the logs it has."""
        async with self._control.storage.write() as transaction:
            await transaction.links.note_heard(self._link.id, self._control.clock.now(), offset_ms)
            for log, sequence in machine.list_acknowledged().items():
                end = await transaction.outgoing_logs.get_end(PlatformScope(), self._link.id, log)
                if end is not None:
                    await transaction.outgoing_logs.acknowledge(self._link.id, log, end.incarnation, sequence)

    async def note_epoch(self, epoch: int) -> None:
        """Persist a higher epoch of the link."""
        async with self._control.storage.write() as transaction:
            link = await transaction.links.get(PlatformScope(), self._link.id)
            if link.epoch < epoch:
                raised = replace(link, epoch=epoch, version=link.version + 1)
                await transaction.links.update(raised)
                await follow_link(transaction, self._control, raised, "the parent remembers a later life of the link")

    async def _open_incarnation(self, log: LinkLog) -> LogEnd:
        async with self._control.storage.write() as transaction:
            return await transaction.outgoing_logs.begin_incarnation(self._link.id, log, uuid4())

    async def _apply_items(self, effect: ApplyItems) -> LogCursor:
        letters = [decode_letter(each) for each in effect.letters]
        async with self._control.storage.write() as transaction:
            new = frozenset(await transaction.incoming_logs.keep(self._link.id, effect.log, letters))
            fresh = [letter for letter in letters if letter.id in new]
            refused = await deliver_items(transaction, self._control, self._build_arrival(), effect.log, fresh)
            await transaction.incoming_logs.move_cursor(self._link.id, effect.log, effect.before, effect.after)
        self._is_return_due |= refused > 0
        # What was passed on, or answered, waits for another neighbour now.
        self._control.link_bell.ring()
        return effect.after

    async def _take_back(self, log: LinkLog, returned: Sequence[bytes]) -> None:
        letters = [decode_letter(each) for each in returned]
        async with self._control.storage.write() as transaction:
            await take_back(transaction, self._control, self._build_arrival(), log, letters)
        self._control.link_bell.ring()

    async def _merge(self, letters: Iterable[Letter]) -> Sequence[RegisterLine]:
        async with self._control.storage.write() as transaction:
            outcome = await merge_registers(transaction, self._control, self._build_arrival(), letters)
        self._control.link_bell.ring()
        for letter in outcome.unknown[: UNKNOWN_MAX - len(self._unknown)]:
            self._unknown[RegisterKey(letter.author, letter.kind, letter.name)] = letter
        return outcome.lines

    def _build_arrival(self) -> Arrival:
        return Arrival(self._link.id, self._link.neighbour_id, self._control.clock.now())


def _find_way(place: RegisterPlace, ways: Ways) -> LinkId | None:
    return None if place.audience is None else ways.get(place.audience)
