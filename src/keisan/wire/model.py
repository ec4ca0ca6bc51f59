"""Models on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.domain.model import Surface
from keisan.wire.base import INTEGER_MAX, Count, Name, WireInput, WireView
from keisan.wire.machine import Digest

ModelName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
PositiveCount = Annotated[int, Field(ge=1, le=INTEGER_MAX)]


class ModelCreate(WireInput):
    """A model entry; lengths in tokens, sizes in bytes. Fields are those of domain.model.ModelFacts."""

    name: ModelName
    owner: Name
    architecture: Name
    parameter_count: PositiveCount
    precision: Name
    licence: Name
    surfaces: Annotated[tuple[Surface, ...], Field(min_length=1)]
    capabilities: tuple[Name, ...] = ()
    engines: Annotated[tuple[Name, ...], Field(min_length=1)]
    context_tokens: PositiveCount
    output_tokens_max: PositiveCount
    template_tokens_max: Count
    weights: Annotated[str, StringConstraints(pattern=r"^(path|package):[^\x00-\x1f\x7f]+$", max_length=1024)]
    weights_sha256: Digest
    weights_bytes: PositiveCount
    memory_bytes: PositiveCount


class ModelView(WireView):
    """A model as the API shows it: the facts, flat, and the price now in force (None: it cannot be called yet)."""

    id: UUID
    platform_id: str
    name: str
    owner: str
    architecture: str
    parameter_count: int
    precision: str
    licence: str
    surfaces: tuple[Surface, ...]
    capabilities: tuple[str, ...]
    engines: tuple[str, ...]
    context_tokens: int
    output_tokens_max: int
    template_tokens_max: int
    weights: str
    weights_sha256: str
    weights_bytes: int
    memory_bytes: int
    price_id: UUID | None = None
    version: int
    created_at: datetime
