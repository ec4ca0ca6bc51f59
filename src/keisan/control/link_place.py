"""Where letters go: by which link a platform is reached, and which registers a neighbour may have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.letter import REGISTER_REACH, LetterKind, Reach
from keisan.domain.link import OPEN_STATES, Link, LinkSide
from keisan.domain.register import RegisterPlace
from keisan.federation.key_book import KeyBook
from keisan.storage.base import Transaction

Ways = dict[PlatformId, LinkId | None]


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The open links of a platform, and by which of them what is known of others came."""

    links: Sequence[Link]

    @property
    def parent(self) -> Link | None:
        """Return the link to the parent."""
        return next((link for link in self.links if link.side is LinkSide.PARENT), None)

    def find(self, link_id: LinkId | None) -> Link | None:
        """Return an open link by its id."""
        return next((link for link in self.links if link.id == link_id), None)

    def find_neighbour(self, platform_id: PlatformId) -> Link | None:
        """Return the link to a neighbour."""
        return next((link for link in self.links if link.neighbour_id == platform_id), None)


async def load_neighbourhood(transaction: Transaction) -> Neighbourhood:
    """Return the open links as they are now."""
    return Neighbourhood(await transaction.links.list_states(PlatformScope(), OPEN_STATES))


async def find_way(transaction: Transaction, around: Neighbourhood, audience: PlatformId) -> Link | None:
    """Return the link towards a platform: to itself, to the child it is below, else to the parent, which knows more.

    None for a platform that can only be above where there is no parent.
    """
    return await find_known_way(transaction, around, audience) or around.parent


async def find_known_way(transaction: Transaction, around: Neighbourhood, audience: PlatformId) -> Link | None:
    """Return the link towards a platform, None while nothing has come from it."""
    neighbour = around.find_neighbour(audience)
    if neighbour is not None:
        return neighbour
    source = await transaction.registers.find_source(PlatformScope(), audience)
    return None if source is None else around.find(source.link_id)


def find_author_link(around: Neighbourhood, book: KeyBook, author: PlatformId) -> Link | None:
    """Return the link by which an author's registers come: of the child that it is, or is below, else of the parent.

    None for one that was below here and has left: until somebody else vouches for it, nobody knows where it is.
    """
    path = book.list_path(author)
    below = next((link for link in around.links if link.side is LinkSide.CHILD and link.neighbour_id in path), None)
    return below if below is not None or book.own_id in path else around.parent


async def find_ways(transaction: Transaction, around: Neighbourhood, places: Iterable[RegisterPlace]) -> Ways:
    """Return towards which link the audience of each register is, None while that is not known.

    A letter may go up to somebody who knows more. A register does not: it would stay there, where it is nobody's.
    """
    ways: Ways = {}
    for audience in sorted({place.audience for place in places if place.audience is not None}):
        link = await find_known_way(transaction, around, audience)
        ways[audience] = None if link is None else link.id
    return ways


def is_reached(author: PlatformId, kind: str, holder: PlatformId, book: KeyBook) -> bool:
    """Tell whether registers of a kind travel from their author to this holder at all, by where the book says that both are.

    A neighbour that has moved here gives back what it seems to have from this side, and had from where it was before.
    """
    match _find_reach(kind):
        case Reach.UP:
            return holder in book.list_path(author)
        case Reach.DOWN:
            return author in book.list_path(holder)
        case _:
            return True


def is_offered(place: RegisterPlace, link: Link, towards_audience: LinkId | None) -> bool:
    """Tell whether a neighbour may have a register: never by the link it came by, and as far as its kind reaches.

    `towards_audience` is the link to the register's audience. A kind that is not known here goes nowhere: it may be private.
    """
    if place.source == link.id:
        return False
    match _find_reach(place.line.key.kind):
        case Reach.ALL:
            return True
        case Reach.UP:
            return link.side is LinkSide.PARENT
        case Reach.DOWN:
            return link.side is LinkSide.CHILD
        case Reach.AUDIENCE:
            return towards_audience == link.id
        case None:
            return False


def list_held(places: Iterable[RegisterPlace], link: Link) -> list[RegisterPlace]:
    """Return the registers that came by a link."""
    return [place for place in places if place.source == link.id]


def _find_reach(kind: str) -> Reach | None:
    try:
        return REGISTER_REACH[LetterKind(kind)]
    except (KeyError, ValueError):
        return None
