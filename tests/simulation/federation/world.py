"""All platforms of one schedule, what was said between them, and what may be demanded of them once all faults have stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from keisan.domain.grant import GrantTerms
from keisan.domain.ids import LetterId, LinkId, PlatformId
from keisan.domain.letter import Letter
from keisan.domain.link import Link, LinkSide, LinkState
from keisan.domain.link_log import SettledPeriod
from keisan.domain.platform import PlatformKind
from keisan.federation.effect import Close
from tests.simulation.federation.counter import State, Tally
from tests.simulation.federation.forwarding import Forwarding
from tests.simulation.federation.granting import Granting
from tests.simulation.federation.kernel import Kernel
from tests.simulation.federation.market import Market
from tests.simulation.federation.network import Network
from tests.simulation.federation.newer import UNKNOWN_KIND
from tests.simulation.federation.office import Office, name_url
from tests.simulation.federation.platform import SimulatedPlatform
from tests.simulation.federation.signer import get_signer
from tests.simulation.federation.site import Sites
from tests.simulation.federation.watch import Watch

GRANTED_AT_ONCE = 10

if TYPE_CHECKING:
    from tests.simulation.federation.application import Books
    from tests.simulation.federation.disk import MemoryTransaction, Tables
    from tests.simulation.federation.session import Session
    from tests.simulation.federation.tree import Tree


class World:
    """Holds what no platform knows: who has said what, and what was lost with a disk before anybody else had it."""

    def __init__(self, kernel: Kernel, tree: Tree, books: Books) -> None:
        self.kernel = kernel
        self.tree = tree
        self.tally = Tally()
        self.network = Network(kernel)
        self.watch = Watch()
        self.platforms: list[SimulatedPlatform] = []
        self.platforms += [SimulatedPlatform(self, number) for number in range(tree.size)]
        self.numbers: dict[PlatformId, int] = {each.id: each.number for each in self.platforms}
        self.sent: dict[LetterId, Letter] = {}
        self.books: Books = books
        self.market = Market(self)
        self.granting = Granting(self)
        self.sites = Sites(self)
        self.office = Office(self)
        self.forwarding = Forwarding(self)
        # Whether all faults have stopped.
        self.is_calm = False
        self.stepped: set[int] = set()
        self.rolled_back: set[int] = set()
        self.revoked: set[int] = set()
        self.settled: set[SettledPeriod] = set()
        self._periods: dict[tuple[PlatformId, PlatformId], int] = {}
        self._backups: dict[int, list[int]] = {}
        # When the last of the faults that are planned will have ended.
        self.quiet_ms = 0
        self.gone: set[LetterId] = set()
        for child, parent in tree.list_pairs():
            self._join(self.platforms[child], self.platforms[parent])
        for platform in self.platforms:
            platform.write_now(platform.introduce)

    def acquaint(self) -> None:
        """Let all have heard already who the others are: they were linked long ago."""
        said = [(author.number, each.letter) for author in self.platforms for each in author.list_registers()]
        for platform in self.platforms:
            ways = {
                number: platform.links[self.tree.find_path(platform.number, number)[1]].id
                for number in range(self.tree.size)
                if number != platform.number
            }

            async def hear(transaction: MemoryTransaction, ways: dict[int, LinkId] = ways) -> None:
                for number, letter in said:
                    if number in ways:
                        await transaction.registers.put(letter, ways[number])

            platform.write_now(hear)

    def name_prefix(self, number: int) -> str:
        """Return the prefix that a platform's parent issued it: the root's begins none."""
        parent = self.tree.parents[number]
        if parent is None:
            return ""
        above = self.name_prefix(parent)
        return f"{above}.{letter_of(number)}" if above else letter_of(number)

    def name_region(self, number: int) -> str:
        """Return the region of a platform: that of the one above it, if that has one, since it may issue no other."""
        parent = self.tree.parents[number]
        if parent is None:
            return ""
        return self.name_region(parent) or self.tree.regions[number]

    def _join(self, child: SimulatedPlatform, parent: SimulatedPlatform) -> None:
        """Link two platforms, as an approval does."""
        for own, other, side in ((parent, child, LinkSide.CHILD), (child, parent, LinkSide.PARENT)):
            link = self._build_link(own, other, side, self.name_prefix(child.number))
            own.disk.tables.neighbours[link.id] = link
        # A platform that has joined is in its first life.
        child.disk.tables.grant_terms = GrantTerms(child.id, 1, 0, GRANTED_AT_ONCE, 1)

    def _build_link(self, own: SimulatedPlatform, other: SimulatedPlatform, side: LinkSide, prefix: str) -> Link:
        region = self.name_region((other if side is LinkSide.CHILD else own).number)
        return Link(
            id=LinkId(self.kernel.create_id()),
            platform_id=own.id,
            neighbour_id=other.id,
            side=side,
            state=LinkState.JOINED,
            name=f"p{other.number}",
            kind=PlatformKind.REGIONAL,
            region=region or None,
            prefix=prefix,
            epoch=1,
            keys=other.chain,
            url=name_url(other.number) if side is LinkSide.PARENT else "",
            invitation_id=None,
            certificate="",
            certificate_ends_at=None,
            ca="",
            offset_ms=None,
            heard_at=None,
            reviewer="",
            reviewed_at=None,
            ended_at=None,
            version=1,
            created_at=own.clock.now(),
            link_key=get_signer((other if side is LinkSide.CHILD else own).number).public_key,
        )

    def name_period(self, author: PlatformId, audience: PlatformId) -> str:
        """Return the settlement period in which an author's letters to an audience are now."""
        return f"period {self._periods.get((author, audience), 0)}"

    def settle(self, author: SimulatedPlatform, audience: SimulatedPlatform) -> None:
        """Have both sides sign for a period, if all of it has arrived: then nobody on the way need keep it."""
        key, period = (author.id, audience.id), self.name_period(author.id, audience.id)
        letters = [each for each in self.sent.values() if (each.author, each.audience, each.period) == (*key, period)]
        held = audience.disk.tables
        if not letters or any(has_arrived(each, held) != 1 for each in letters):
            return
        self._periods[key] = self._periods.get(key, 0) + 1
        self.settled.add(SettledPeriod(*key, period))
        path = self.tree.find_path(author.number, audience.number)
        # A disk from before that has lost what nobody keeps for it any more: that is no fault of the links.
        for number in path[1:] if self.office.move is None else range(self.tree.size):
            self._backups[number] = []
        for number in path:
            self.kernel.call_in(self.kernel.random.randint(0, 400), self.platforms[number].trim)

    def back_up(self, number: int) -> Tables:
        """Copy a disk."""
        backup = self.platforms[number].disk.tables.copy()
        self._backups.setdefault(number, []).append(id(backup))
        return backup

    def may_restore(self, number: int, backup: Tables) -> bool:
        """Tell whether nothing was settled since that this disk had not, and no people would have to begin anew."""
        move = self.office.move
        if (move is not None and move.has_platform(number)) or number in self.office.asking & self.stepped:
            return False
        return id(backup) in self._backups[number]

    def expect(self, author: SimulatedPlatform, letters: Sequence[Letter]) -> None:
        """Note letters that their author is about to commit: they arrive, unless its disk does not even commit them."""
        author.disk.pending += letters

    def note_committed(self, letters: Sequence[Letter]) -> None:
        """Note letters that their author has committed."""
        self.sent.update((letter.id, letter) for letter in letters)

    def note_close(self, session: Session, close: Close) -> None:
        """Count why a connection ended."""
        self.tally.work[f"closed {close.code}"] += 1
        self.tally.states[State.NEW_EPOCH] += close.code == "new_epoch"

    def note_replaced(self) -> None:
        """Count a connection that took another's place while that still lived."""
        self.tally.states[State.TWO_CONNECTIONS] += 1

    def is_busy_between(self, first: int, second: int) -> bool:
        """Tell whether something is under way between two platforms: on the wire, or to one of their disks."""
        return any(
            session.has_work
            for one, other in ((first, second), (second, first))
            for session in self.platforms[one].sessions
            if session.other == other
        )

    def is_busy_at(self, number: int) -> bool:
        """Tell whether something is under way at a platform."""
        return any(session.has_work for session in self.platforms[number].sessions) or any(
            self.is_busy_between(number, session.other) for session in self.platforms[number].sessions
        )

    def fire(self, fault: str, *, is_busy: bool = True) -> None:
        """Count a fault that fires now."""
        (self.tally.faults if is_busy else self.tally.idle_faults)[fault] += 1
        self.kernel.note(fault.encode())

    def list_members(self) -> list[SimulatedPlatform]:
        """Return the platforms that were not revoked."""
        return [platform for platform in self.platforms if platform.number not in self.revoked]

    def revoke(self, child: int, parent: int) -> None:
        """Have a parent revoke a child, and with it all that is below."""
        self.platforms[parent].revoke(child)
        self.revoked |= {child, *self.tree.list_below(child)}

    def forget_with(self, number: int, backup: Tables) -> None:
        """Note which letters are gone for good when a disk is restored: those that nobody else has on a disk."""
        before, after = self.platforms[number].disk.tables.list_letters(), backup.list_letters()
        elsewhere = {
            letter_id
            for platform in self.platforms
            if platform.number != number
            for letter_id in platform.disk.tables.list_letters()
        }
        self.gone.update(letter_id for letter_id in before if letter_id not in after and letter_id not in elsewhere)


def has_arrived(letter: Letter, audience: Tables) -> int:
    """Return how often a letter has had its effect; what must be refused is kept, and that is all."""
    if letter.kind == UNKNOWN_KIND:
        return sum(key[0] == letter.id for key in audience.links.refused)
    times = audience.notes.get(("applied", letter.id), 0)
    assert isinstance(times, int)
    return times


def letter_of(number: int) -> str:
    """Return a number as a label of letters."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))
