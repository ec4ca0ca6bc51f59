"""Keys: an organization sees its own; a digest finds its key without a scope, since it finds the scope."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ForeignKey, Index, Table, Text, UniqueConstraint

from keisan.domain.access import PlatformScope, Role, Scope
from keisan.domain.ids import KeyId
from keisan.domain.key import Key
from keisan.storage.call_limits import build_limits_column
from keisan.storage.repository import TableRepository, Visibility, limit_to_owner
from keisan.storage.schema import EnumText, Instant, Structure, build_column, build_id, build_noun_columns, metadata

key = Table(
    "key",
    metadata,
    *build_noun_columns(),
    build_id("organization_id", ForeignKey("organization.id")),
    build_id("project_id", ForeignKey("project.id")),
    build_id("provider_id", ForeignKey("provider.id"), is_nullable=True),
    build_column("name", Text()),
    build_column("role", EnumText(Role)),
    build_column("digest", Text()),
    build_column("models", Structure(list, tuple), is_nullable=True),
    build_limits_column(),
    build_column("policy", Text()),
    build_column("revoked_at", Instant(), is_nullable=True),
    UniqueConstraint("digest"),
    Index(None, "organization_id", "id"),
)


class KeyRepository(TableRepository[Key, KeyId]):
    """Keys by id and by digest."""

    table = key
    noun_type = Key
    unique = "digest"
    visibility = Visibility(organization=limit_to_owner(key.c.organization_id))

    async def find_by_digest(self, digest: str) -> Key | None:
        """Return the key with this digest, revoked or not."""
        return await self._find(PlatformScope(), key.c.digest == digest)

    async def list_by_ids(self, scope: Scope, ids: Iterable[KeyId]) -> Sequence[Key]:
        """Return the keys with these ids, revoked or not."""
        return await self._list_ids(scope, ids)

    async def list_in_force(self, scope: Scope) -> Sequence[Key]:
        """Return all keys that are not revoked."""
        return await self._list_where(scope, key.c.revoked_at.is_(None))
