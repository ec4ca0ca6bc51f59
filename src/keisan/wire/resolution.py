"""What a name stands for, as the API shows it."""

from typing import Annotated

from pydantic import Field

from keisan.domain.limits import PLATFORM_NAME_CHARACTERS_MAX
from keisan.wire.base import WireInput, WireView


class NameQuery(WireInput):
    """Which name is asked for."""

    name: Annotated[str, Field(max_length=PLATFORM_NAME_CHARACTERS_MAX)]


class ResolutionView(WireView):
    """`name` is what it is called now; `target_id` is empty for the platform itself; `path` leads up to the topmost platform."""

    name: str
    platform_id: str
    region: str
    target_id: str
    title: str
    path: tuple[str, ...]
    is_revoked: bool
    told_at_ms: int | None
