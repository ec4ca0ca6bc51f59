"""The platform: one row, since a database belongs to one platform."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    select,
    update,
)

from keisan.domain.errors import AlreadyExists, NotFound, VersionMismatch
from keisan.domain.ids import PlatformId
from keisan.domain.platform import Platform, PlatformKind
from keisan.storage.connection import GuardedConnection
from keisan.storage.schema import (
    AnyColumn,
    EnumText,
    Instant,
    Structure,
    build_column,
    decode_amounts,
    encode_amounts,
    metadata,
)

platform = Table(
    "platform",
    metadata,
    build_column("id", Text()),
    build_column("name", Text()),
    build_column("kind", EnumText(PlatformKind)),
    build_column("region", Text(), is_nullable=True),
    build_column("public_key", LargeBinary()),
    build_column("version", BigInteger()),
    build_column("created_at", Instant()),
    build_column("four_eyes_nano", Structure(encode_amounts, decode_amounts)),
    # Always 1, so that a second platform breaks a unique key.
    build_column("position", SmallInteger()),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("position"),
    CheckConstraint("position = 1", "one_platform"),
)


def list_fields() -> tuple[AnyColumn, ...]:
    """Return the columns that hold the noun's fields."""
    return tuple(column for column in platform.columns if column.name != "position")


class PlatformRepository:
    """The one platform this database belongs to."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def find(self) -> Platform | None:
        """Return the platform, None before the first start has made it."""
        row = await self._connection.fetch_first(select(*list_fields()))
        return None if row is None else Platform(**row)

    async def get(self) -> Platform:
        """Return the platform; raises NotFound before the first start has made it."""
        found = await self.find()
        if found is None:
            raise NotFound("this database belongs to no platform yet")
        return found

    async def get_id(self) -> PlatformId:
        """Return the platform's id; raises NotFound as get does."""
        return (await self.get()).id

    async def insert(self, noun: Platform) -> None:
        """Insert the platform; raises AlreadyExists if the database has one."""
        row = {column.name: getattr(noun, column.name) for column in list_fields()} | {"position": 1}
        if not await self._connection.insert_or_ignore(platform, row):
            raise AlreadyExists("this database belongs to a platform already")

    async def update(self, noun: Platform) -> None:
        """Write what may change of the platform; raises VersionMismatch unless the stored version is one less."""
        values = {"name": noun.name, "four_eyes_nano": noun.four_eyes_nano, "version": noun.version}
        is_expected = (platform.c.id == noun.id) & (platform.c.version == noun.version - 1)
        if await self._connection.change(update(platform).where(is_expected), values) != 1:
            raise VersionMismatch(f"the platform is not at version {noun.version - 1}")
