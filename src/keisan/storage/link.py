"""Links to neighbours and invitations for children: the platform's own, so organizations and providers see none."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, Table, Text, select, update

from keisan.domain.access import Scope
from keisan.domain.departure import Departure, DepartureStep, StepName, StepState
from keisan.domain.errors import AlreadyExists, NotFound, StateConflict
from keisan.domain.ids import InvitationId, LinkId, PlatformId
from keisan.domain.key_chain import KeyChain, Rotation
from keisan.domain.link import Invitation, Link, LinkSide, LinkState
from keisan.domain.platform import PlatformKind
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import TableRepository, Visibility
from keisan.storage.schema import EnumText, Instant, Structure, build_column, build_id, build_noun_columns, metadata


def encode_keys(keys: KeyChain) -> object:
    """Return a platform's keys as JSON keeps them."""
    rotations = [[each.number, each.public_key.hex(), each.signature.hex()] for each in keys.rotations]
    return {"first": keys.first_key.hex(), "rotations": rotations}


def decode_keys(stored: dict[str, Any]) -> KeyChain:
    """Return what encode_keys was given."""
    rotations = (Rotation(number, bytes.fromhex(key), bytes.fromhex(by)) for number, key, by in stored["rotations"])
    return KeyChain(bytes.fromhex(stored["first"]), tuple(rotations))


def encode_departure(departure: Departure) -> object:
    """Return the steps of a departure as JSON keeps them."""
    return [[step.name, step.state, step.detail] for step in departure]


def decode_departure(stored: list[list[str]]) -> Departure:
    """Return what encode_departure was given."""
    return tuple(DepartureStep(StepName(name), StepState(state), detail) for name, state, detail in stored)


link = Table(
    "link",
    metadata,
    *build_noun_columns(),
    build_column("neighbour_id", Text()),
    build_column("side", EnumText(LinkSide)),
    build_column("state", EnumText(LinkState)),
    build_column("name", Text()),
    build_column("kind", EnumText(PlatformKind)),
    build_column("region", Text(), is_nullable=True),
    build_column("prefix", Text()),
    build_column("epoch", BigInteger()),
    build_column("keys", Structure(encode_keys, decode_keys)),
    build_column("url", Text()),
    build_id("invitation_id", is_nullable=True),
    build_column("certificate", Text()),
    build_column("certificate_ends_at", Instant(), is_nullable=True),
    build_column("ca", Text()),
    build_column("offset_ms", BigInteger(), is_nullable=True),
    build_column("heard_at", Instant(), is_nullable=True),
    build_column("reviewer", Text()),
    build_column("reviewed_at", Instant(), is_nullable=True),
    build_column("ended_at", Instant(), is_nullable=True),
    build_column("departure", Structure(encode_departure, decode_departure)),
    build_id("successor_id", is_nullable=True),
    build_column("link_key", LargeBinary()),
    build_column("asked_ms", BigInteger()),
    build_column("digest", Text()),
    build_column("fault", Text()),
    build_column("link_url", Text()),
    Index(None, "neighbour_id"),
)

invitation = Table(
    "invitation",
    metadata,
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    build_column("digest", Text()),
    build_column("kind", EnumText(PlatformKind), is_nullable=True),
    build_column("region", Text(), is_nullable=True),
    build_column("label", Text(), is_nullable=True),
    build_column("created_by", Text()),
    build_column("created_at", Instant()),
    build_column("expires_at", Instant()),
    build_column("used_by", Text(), is_nullable=True),
)
NOBODY_ELSE = Visibility()


class LinkRepository(TableRepository[Link, LinkId]):
    """Links by id, by state and by neighbour."""

    table = link
    noun_type = Link
    visibility = NOBODY_ELSE
    unwritten = frozenset({"offset_ms", "heard_at"})

    async def list_states(self, scope: Scope, states: Iterable[LinkState]) -> Sequence[Link]:
        """Return all links in one of these states, in order of id."""
        return await self._list_where(scope, link.c.state.in_(sorted(states)))

    async def list_neighbour(self, scope: Scope, neighbour_id: PlatformId) -> Sequence[Link]:
        """Return all links there ever were to a platform, in order of id."""
        return await self._list_where(scope, link.c.neighbour_id == neighbour_id)

    async def note_heard(self, link_id: LinkId, heard_at: datetime, offset_ms: int | None) -> None:
        """Note when the neighbour spoke; raises NotFound for an unknown link."""
        values = {"heard_at": heard_at} | ({} if offset_ms is None else {"offset_ms": offset_ms})
        if await self._connection.change(update(link).where(link.c.id == link_id), values) != 1:
            raise NotFound(f"there is no link {link_id}")


class InvitationRepository:
    """Invitations by id."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def find(self, scope: Scope, invitation_id: InvitationId) -> Invitation | None:
        """Return an invitation, used or not."""
        found = select(invitation).where(NOBODY_ELSE.limit(scope), invitation.c.id == invitation_id)
        row = await self._connection.fetch_first(found)
        return None if row is None else Invitation(**row)

    async def insert(self, noun: Invitation) -> None:
        """Insert an invitation; raises AlreadyExists if there is one with this id."""
        row = {column.name: getattr(noun, column.name) for column in invitation.columns}
        if not await self._connection.insert_or_ignore(invitation, row):
            raise AlreadyExists("there is an invitation with this id already")

    async def use(self, invitation_id: InvitationId, platform_id: PlatformId) -> None:
        """Mark it as used; raises StateConflict if another platform has used it, NotFound if there is none."""
        query = select(invitation.c.used_by).where(invitation.c.id == invitation_id)
        rows = await self._connection.fetch_locked(query)
        if not rows:
            raise NotFound(f"there is no invitation {invitation_id}")
        if rows[0]["used_by"] not in (None, platform_id):
            raise StateConflict("this invitation was used by another platform")
        statement = update(invitation).where(invitation.c.id == invitation_id).values(used_by=platform_id)
        await self._connection.change(statement)
