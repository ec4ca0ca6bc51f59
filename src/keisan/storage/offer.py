"""Offers: a provider sees its own, an organization none. Written once and never changed."""

from collections.abc import Iterable, Sequence

from sqlalchemy import BigInteger, ForeignKey, Table, Text, UniqueConstraint, func, select, tuple_

from keisan.domain.access import Scope
from keisan.domain.ids import ModelId, OfferId, ProviderId
from keisan.domain.offer import Offer, OfferKind, name_model
from keisan.storage.price import decode_prices, encode_prices
from keisan.storage.repository import (
    PAIRS_PER_STATEMENT_MAX,
    FixedRepository,
    Visibility,
    limit_to_owner,
    split_chunks,
)
from keisan.storage.schema import (
    AnyColumn,
    EnumText,
    ExactInteger,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)

offer = Table(
    "offer",
    metadata,
    *build_noun_columns(),
    build_id("provider_id", ForeignKey("provider.id")),
    # What is offered, as one text: nulls are never equal, so model and chip alone could not make a version unique.
    build_column("subject", Text()),
    build_id("model_id", ForeignKey("model.id"), is_nullable=True),
    build_column("chip", Text(), is_nullable=True),
    build_column("kind", EnumText(OfferKind)),
    build_column("currency", Text()),
    build_column("nano_per_million", Structure(encode_prices, decode_prices)),
    build_column("nano_per_device_hour", ExactInteger(), is_nullable=True),
    build_column("quantity_max", BigInteger(), is_nullable=True),
    build_column("term_hours", BigInteger(), is_nullable=True),
    build_column("effective_from", Instant()),
    build_column("effective_until", Instant(), is_nullable=True),
    UniqueConstraint("provider_id", "subject", "version"),
)
FIELDS = tuple(column for column in offer.columns if column.name != "subject")


class OfferRepository(FixedRepository[Offer, OfferId]):
    """Offers by id, and by provider and model."""

    table = offer
    noun_type = Offer
    unique = "version"
    visibility = Visibility(provider=limit_to_owner(offer.c.provider_id))

    def _columns(self) -> Sequence[AnyColumn]:
        return FIELDS

    def _to_row(self, noun: Offer) -> dict[str, object]:
        return super()._to_row(noun) | {"subject": noun.subject}

    async def get_last_version(self, scope: Scope, provider_id: ProviderId, subject: str) -> int:
        """Return the number of the newest version of what a provider offers, 0 where there is none."""
        is_wanted = (offer.c.provider_id == provider_id) & (offer.c.subject == subject)
        newest = select(func.max(offer.c.version).label("version")).where(self.visibility.limit(scope), is_wanted)
        row = await self._connection.fetch_first(newest)
        return (row["version"] if row else None) or 0

    async def list_models(self, scope: Scope, pairs: Iterable[tuple[ProviderId, ModelId]]) -> Sequence[Offer]:
        """Return all versions of what these providers offer of these models, in order of id."""
        found: list[Offer] = []
        wanted = sorted({(provider_id, name_model(model_id)) for provider_id, model_id in pairs})
        for chunk in split_chunks(wanted, PAIRS_PER_STATEMENT_MAX):
            found += await self._list_where(scope, tuple_(offer.c.provider_id, offer.c.subject).in_(chunk))
        return found
