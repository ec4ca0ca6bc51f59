"""The part of the storage contract (base.py) that says what is paid: versions of prices, offers and deductions.

They are immutable: `get` raises NotFound, also for what lies outside the scope; `list` orders by id; `insert` raises
AlreadyExists when the version is taken.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from keisan.domain.access import Scope
from keisan.domain.deduction import Deduction, DeductionKind
from keisan.domain.ids import DeductionId, ModelId, OfferId, ProviderId
from keisan.domain.offer import Offer
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.price import Price


class PriceRepository(Protocol):
    """Price versions; public on the platform, immutable."""

    async def get(self, scope: Scope, price_id: UUID) -> Price: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Price]: ...
    async def insert(self, price: Price) -> None: ...
    async def get_last_version(self, scope: Scope, model_id: ModelId) -> int:
        """Return the number of the newest version of a model's price, in force or not yet; 0 where there is none."""
        ...

    async def list_current(
        self, scope: Scope, model_ids: Iterable[ModelId] | None, now: datetime
    ) -> Mapping[ModelId, Price]:
        """Return the newest version of each model's price that is in force; None asks for all models."""
        ...

    async def list_by_ids(self, scope: Scope, ids: Iterable[UUID]) -> Mapping[UUID, Price]: ...


class OfferRepository(Protocol):
    """Offers, immutable; a provider sees its own, organizations see none."""

    async def get(self, scope: Scope, offer_id: OfferId) -> Offer: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Offer]: ...
    async def insert(self, offer: Offer) -> None: ...
    async def get_last_version(self, scope: Scope, provider_id: ProviderId, subject: str) -> int:
        """Return the number of the newest version of what a provider offers, 0 where there is none."""
        ...

    async def list_models(self, scope: Scope, pairs: Iterable[tuple[ProviderId, ModelId]]) -> Sequence[Offer]:
        """Return all versions of what these providers offer of these models: what `choose_offer` chooses from."""
        ...


class DeductionRepository(Protocol):
    """Deductions, immutable; an organization sees the tax that applies to it, a provider the margin."""

    async def get(self, scope: Scope, deduction_id: DeductionId) -> Deduction: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Deduction]: ...
    async def insert(self, deduction: Deduction) -> None: ...
    async def get_last_version(self, scope: Scope, kind: DeductionKind, subject: str) -> int:
        """Return the number of the newest version of a subject's deduction, 0 where there is none."""
        ...

    async def list_all(self, scope: Scope) -> Sequence[Deduction]:
        """Return all versions in scope: what `choose_rate_ppm` chooses from."""
        ...
