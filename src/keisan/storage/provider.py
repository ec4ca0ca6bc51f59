"""Providers: a provider sees itself, an organization sees all names."""

from sqlalchemy import Table, Text, UniqueConstraint

from keisan.domain.ids import ProviderId
from keisan.domain.provider import Provider
from keisan.storage.repository import TableRepository, Visibility, limit_to_all, limit_to_owner
from keisan.storage.schema import build_column, build_noun_columns, metadata

provider = Table(
    "provider",
    metadata,
    *build_noun_columns(),
    build_column("name", Text()),
    UniqueConstraint("platform_id", "name"),
)


class ProviderRepository(TableRepository[Provider, ProviderId]):
    """Providers by id."""

    table = provider
    noun_type = Provider
    unique = "name"
    visibility = Visibility(organization=limit_to_all, provider=limit_to_owner(provider.c.id))
