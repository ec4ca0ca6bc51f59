"""A model: a catalogue entry that can be deployed and called by its name."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import ModelId, PlatformId


class Surface(StrEnum):
    """A part of /v1 through which a model can be called."""

    CHAT = "chat"
    COMPLETIONS = "completions"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the catalogue says of a model. Lengths in tokens, sizes in bytes.

    `weights` is a weight source ("path:..." or "package:..."), `weights_sha256` the hex digest of the weight file.
    `template_tokens_max` bounds what the chat template adds to a prompt (R2).
    """

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


@dataclass(frozen=True, slots=True)
class Model:
    """A model on this platform; `facts.name` is unique on the platform and is what a call names."""

    id: ModelId
    platform_id: PlatformId
    facts: ModelFacts
    version: int
    created_at: datetime
