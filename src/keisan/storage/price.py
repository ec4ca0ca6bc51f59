"""Price versions: public on the platform, written once and never changed."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Table, Text, UniqueConstraint, and_, func, select

from keisan.domain.access import Scope
from keisan.domain.ids import ModelId
from keisan.domain.price import Price, TokenClass
from keisan.storage.repository import FixedRepository, Visibility, limit_to_all
from keisan.storage.schema import Instant, Structure, build_column, build_id, build_noun_columns, metadata


def encode_prices(nano_per_million: Mapping[TokenClass, int]) -> dict[str, str]:
    """Return prices by class as decimal texts, as amounts cross JSON (R3)."""
    return {str(token_class): str(nano) for token_class, nano in nano_per_million.items()}


def decode_prices(stored: Mapping[str, str]) -> dict[TokenClass, int]:
    """Return what encode_prices was given."""
    return {TokenClass(word): int(text) for word, text in stored.items()}


price = Table(
    "price",
    metadata,
    *build_noun_columns(),
    build_id("model_id", ForeignKey("model.id")),
    build_column("currency", Text()),
    build_column("nano_per_million", Structure(encode_prices, decode_prices)),
    build_column("effective_from", Instant()),
    UniqueConstraint("model_id", "version"),
)


class PriceRepository(FixedRepository[Price, UUID]):
    """Prices by id and by model."""

    table = price
    noun_type = Price
    unique = "version"
    visibility = Visibility(organization=limit_to_all, provider=limit_to_all)

    async def get_last_version(self, scope: Scope, model_id: ModelId) -> int:
        """Return the number of the newest version of a model's price, in force or not yet; 0 where there is none."""
        newest = select(func.max(price.c.version).label("version"))
        row = await self._connection.fetch_first(
            newest.where(self.visibility.limit(scope), price.c.model_id == model_id)
        )
        return (row["version"] if row else None) or 0

    async def list_current(
        self, scope: Scope, model_ids: Iterable[ModelId] | None, now: datetime
    ) -> Mapping[ModelId, Price]:
        """Return the newest version of each model's price that is in force; None asks for all models."""
        newest = select(price.c.model_id, func.max(price.c.version).label("version")).group_by(price.c.model_id)
        newest = newest.where(price.c.effective_from <= now)
        if model_ids is not None:
            newest = newest.where(price.c.model_id.in_(sorted(set(model_ids))))
        latest = newest.subquery()
        is_newest = and_(price.c.model_id == latest.c.model_id, price.c.version == latest.c.version)
        statement = self._select(scope).join(latest, is_newest).order_by(price.c.id)
        found = [self._to_noun(row) for row in await self._connection.fetch_all(statement)]
        return {current.model_id: current for current in found}

    async def list_by_ids(self, scope: Scope, ids: Iterable[UUID]) -> Mapping[UUID, Price]:
        """Return the prices with these ids."""
        return {found.id: found for found in await self._list_ids(scope, ids)}
