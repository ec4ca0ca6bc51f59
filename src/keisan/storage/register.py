"""Registers: the newest letter of each author, kind and name, and which link it came by."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import (
    BigInteger,
    Boolean,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    case,
    delete,
    select,
    tuple_,
    update,
)

from keisan.domain.access import Scope
from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.register import RegisterKey, RegisterLine, RegisterMark, RegisterPlace, RegisterSource, mark_register
from keisan.storage.connection import GuardedConnection
from keisan.storage.head import HeadRow
from keisan.storage.repository import PAIRS_PER_STATEMENT_MAX, Condition, Visibility, split_chunks
from keisan.storage.schema import AnyRow, build_column, build_id, metadata
from keisan.wire.letter import decode_letter, encode_letter

VISIBILITY = Visibility()

register = Table(
    "register",
    metadata,
    build_column("author", Text()),
    build_column("kind", Text()),
    build_column("name", Text()),
    build_column("audience", Text(), is_nullable=True),
    # Null: the platform's own.
    build_id("source", is_nullable=True),
    build_column("version", BigInteger()),
    build_column("digest", LargeBinary()),
    build_column("is_deleted", Boolean(create_constraint=False)),
    # Higher than that of any register that was put before.
    build_column("change", BigInteger()),
    build_column("letter", LargeBinary()),
    PrimaryKeyConstraint("author", "kind", "name"),
    Index(None, "source"),
    Index(None, "kind"),
    Index(None, "author", "change"),
    Index(None, "change"),
)


class RegisterRepository:
    """Registers by key, by kind and by source."""

    def __init__(self, connection: GuardedConnection, head: HeadRow) -> None:
        self._connection = connection
        self._head = head

    async def find(self, scope: Scope, key: RegisterKey) -> Letter | None:
        """Return what is kept of a key, a tombstone too."""
        row = await self._connection.fetch_first(select(register.c.letter).where(VISIBILITY.limit(scope), _match(key)))
        return None if row is None else decode_letter(row["letter"])

    async def find_source(self, scope: Scope, author: PlatformId) -> RegisterSource | None:
        """Return how an author's own word on itself came, else the newest of its registers; None if there is none."""
        own = register.c
        by_author = select(own.source).where(VISIBILITY.limit(scope), own.author == author)
        own_word_first = case((own.kind == LetterKind.PLATFORM, 0), else_=1)
        row = await self._connection.fetch_first(by_author.order_by(own_word_first, own.change.desc()).limit(1))
        return None if row is None else RegisterSource(row["source"])

    async def put(self, letter: Letter, source: LinkId | None) -> bool:
        """Keep a letter if it is newer than what is kept of its key, and tell whether it was."""
        key, mark = RegisterKey(letter.author, letter.kind, letter.name), mark_register(letter)
        head = await self._head.lock()
        told = {
            "audience": letter.audience,
            "source": source,
            "version": mark.version,
            "digest": mark.digest,
            "is_deleted": letter.is_deleted,
            "change": head.register_change + 1,
            "letter": encode_letter(letter),
        }
        own = register.c
        is_older = (own.version < mark.version) | ((own.version == mark.version) & (own.digest < mark.digest))
        renewed = update(register).where(_match(key), is_older)
        is_put = await self._connection.change(renewed, told) == 1 or await self._connection.insert_or_ignore(
            register, {**key._asdict(), **told}
        )
        if is_put:
            await self._head.move(replace(head, register_change=head.register_change + 1))
        return is_put

    async def list_places(self, scope: Scope, after_change: int) -> Sequence[RegisterPlace]:
        """Return where registers are that were put after a change."""
        own = register.c
        wanted = select(own.author, own.kind, own.name, own.version, own.digest, own.source, own.audience, own.change)
        is_later = VISIBILITY.limit(scope) & (own.change > after_change)
        rows = await self._connection.fetch_all(wanted.where(is_later).order_by(own.change))
        return [RegisterPlace(_read_line(row), row["source"], row["audience"], row["change"]) for row in rows]

    async def list_lines(self, scope: Scope, source: LinkId | None) -> Sequence[RegisterLine]:
        """Return a line for each register of one source."""
        own = register.c
        is_from = own.source.is_(None) if source is None else own.source == source
        wanted = select(own.author, own.kind, own.name, own.version, own.digest).where(VISIBILITY.limit(scope), is_from)
        rows = await self._connection.fetch_all(wanted.order_by(own.author, own.kind, own.name))
        return [_read_line(row) for row in rows]

    async def list_letters(self, scope: Scope, keys: Sequence[RegisterKey]) -> Sequence[Letter]:
        """Return what is kept of some keys."""
        own = register.c
        found: list[Letter] = []
        for chunk in split_chunks(sorted(set(keys)), PAIRS_PER_STATEMENT_MAX):
            is_wanted = tuple_(own.author, own.kind, own.name).in_(chunk)
            found += await self._list(scope, is_wanted)
        return found

    async def list_kind(self, scope: Scope, kind: str) -> Sequence[Letter]:
        """Return all registers of a kind that are not deleted, in order of author and name."""
        return await self._list(scope, (register.c.kind == kind) & ~register.c.is_deleted)

    async def redirect(self, key: RegisterKey, source: LinkId) -> None:
        """Let a register be one that came by another link."""
        # As a put does, so that the two never wait for each other.
        await self._head.lock()
        await self._connection.change(update(register).where(_match(key)).values(source=source))

    async def forget_source(self, source: LinkId) -> None:
        """Drop what came by a link that has ended."""
        await self._connection.change(delete(register).where(register.c.source == source))

    async def _list(self, scope: Scope, condition: Condition) -> list[Letter]:
        own = register.c
        wanted = select(own.letter).where(VISIBILITY.limit(scope), condition)
        rows = await self._connection.fetch_all(wanted.order_by(own.author, own.kind, own.name))
        return [decode_letter(row["letter"]) for row in rows]


def _read_line(row: AnyRow) -> RegisterLine:
    key = RegisterKey(row["author"], row["kind"], row["name"])
    return RegisterLine(key, RegisterMark(row["version"], bytes(row["digest"])))


def _match(key: RegisterKey) -> Condition:
    return (register.c.author == key.author) & (register.c.kind == key.kind) & (register.c.name == key.name)
