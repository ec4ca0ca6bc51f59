"""All connections of this process: one per neighbour, each told what has changed on disk, by whichever process that was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from keisan.control.context import Control
from keisan.control.key_book import BOOK_KINDS
from keisan.control.letter_handler import retry_letters
from keisan.control.link_loop import LinkChannel, LinkLoop, LinkNews
from keisan.control.link_place import Ways, find_ways, load_neighbourhood
from keisan.control.name import tell_names
from keisan.control.register import follow_moves
from keisan.domain.access import PlatformScope
from keisan.domain.errors import StorageUnavailable
from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.link import Link
from keisan.domain.link_log import LinkLog, LogEnd
from keisan.domain.register import RegisterPlace
from keisan.federation.effect import Close
from keisan.kit.observe import write_log

# How often the disk is looked at, rung for or not, and the rest after a look, in which the writes of a burst gather.
LOOK_S = 1.0
REST_S = 0.02


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the connections were told of. `ways` are those of all audiences; `links` the open links."""

    change: int = 0
    ends: Mapping[tuple[LinkId, LinkLog], LogEnd] = field(default_factory=dict)
    ways: Ways = field(default_factory=dict)
    links: frozenset[tuple[LinkId, int]] | None = None


class LinkHub:
    """Runs connections and tells each what its neighbour may have."""

    def __init__(self, control: Control, release: str) -> None:
        self._control = control
        self._release = release
        self._loops: dict[LinkId, LinkLoop] = {}
        self._seen = _Seen()
        self._is_stopping = False

    @property
    def open_ids(self) -> frozenset[LinkId]:
        """Return the links that are connected now."""
        return frozenset(link_id for link_id, loop in self._loops.items() if loop.is_met)

    async def serve(self, neighbour_id: PlatformId, channel: LinkChannel) -> Close:
        """Run one connection to a neighbour, in place of one that is there already, and return why it ended.

        Who the neighbour is was read from its certificate. Raises StorageUnavailable.
        """
        link = await self._find_link(neighbour_id)
        if link is None or self._is_stopping:
            await channel.close()
            return Close("no_link", "no link to this platform is open")
        loop = LinkLoop(self._control, link, channel, self._release)
        before = self._loops.get(link.id)
        self._loops[link.id] = loop
        self._control.link_board.connect(link.neighbour_id, loop)
        try:
            if before is not None:
                before.end("replaced", "another connection has taken its place")
                # What it is writing moves the cursors at which this one begins.
                await before.settled.wait()
            _, ways = await self._load_ways()
            outcome = await loop.run(ways)
        finally:
            loop.settled.set()
            self._control.link_board.disconnect(link.neighbour_id, loop)
            if self._loops.get(link.id) is loop:
                del self._loops[link.id]
        self._control.link_board.count_closed(neighbour_id, outcome.code)
        write_log("link.closed", neighbour_id=neighbour_id, code=outcome.code, text=outcome.text)
        return outcome

    async def watch(self) -> None:
        """Tell the connections of what changes, until it is stopped."""
        while not self._is_stopping:
            await self._control.link_bell.wait(LOOK_S)
            try:
                await self._look()
            except StorageUnavailable as fault:
                write_log("link.unseen", code=fault.code)
            await self._control.clock.sleep(REST_S)

    def stop(self) -> None:
        """End all connections, and let nobody begin another: what is being written is still committed."""
        self._is_stopping = True
        for loop in self._loops.values():
            loop.end("stopping", "this platform stops")
        self._control.link_bell.ring()

    async def _look(self) -> None:
        """Look at what has changed since the last time, and tell whom it concerns."""
        before = self._seen
        async with self._control.storage.read() as view:
            ends = await view.outgoing_logs.list_ends(PlatformScope())
            places = await view.registers.list_places(PlatformScope(), before.change)
            around = await load_neighbourhood(view)
            links = frozenset((link.id, link.version) for link in around.links)
            is_moved = links != before.links or any(place.line.key.kind in BOOK_KINDS for place in places)
            change = max((place.change for place in places), default=before.change)
            ways = before.ways | await find_ways(view, around, places)
        self._end_closed({link.id for link in around.links})
        if is_moved:
            await self._follow(links != before.links)
            # Who is known, or joined, anew may be whom a register has waited for.
            places, ways = await self._load_ways()
        if not places and ends == before.ends:
            return
        after = _Seen(change, ends, ways, links)
        news = [place for place in places if is_news(place, before, ways)]
        told = [loop.note(_build_news(link_id, before, after, news)) for link_id, loop in self._loops.items()]
        if all(told):
            self._seen = after

    async def _follow(self, are_links_changed: bool) -> None:  # noqa: FBT001  # what changed is all there is to say
        """Do what follows from other links, or from others that are known: say who is here now, and try what was too early."""
        async with self._control.storage.write() as transaction:
            if are_links_changed:
                await tell_names(transaction, self._control)
            await follow_moves(transaction, self._control)
            await retry_letters(transaction, self._control)
        self._control.link_bell.ring()

    def _end_closed(self, open_ids: set[LinkId]) -> None:
        for link_id, loop in self._loops.items():
            if link_id not in open_ids:
                loop.end("no_link", "the link is over")

    async def _find_link(self, neighbour_id: PlatformId) -> Link | None:
        async with self._control.storage.read() as view:
            return (await load_neighbourhood(view)).find_neighbour(neighbour_id)

    async def _load_ways(self) -> tuple[Sequence[RegisterPlace], Ways]:
        """Return where all registers are, and the ways of their audiences."""
        async with self._control.storage.read() as view:
            places = await view.registers.list_places(PlatformScope(), 0)
            return places, await find_ways(view, await load_neighbourhood(view), places)


def is_news(place: RegisterPlace, before: _Seen, ways: Ways) -> bool:
    """Tell whether a register is another than before, or the way to whom it is for is."""
    is_redirected = place.audience is not None and ways.get(place.audience) != before.ways.get(place.audience)
    return place.change > before.change or is_redirected


def _build_news(link_id: LinkId, before: _Seen, after: _Seen, places: Sequence[RegisterPlace]) -> LinkNews:
    own = {log: end for (of, log), end in after.ends.items() if of == link_id and end != before.ends.get((of, log))}
    is_book_changed = any(place.line.key.kind in BOOK_KINDS for place in places)
    return LinkNews(own, tuple(places), after.change, after.ways, is_book_changed)
