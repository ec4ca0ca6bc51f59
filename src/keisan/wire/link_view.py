"""Links as the API shows them, and what people decide of them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.departure import StepName, StepState
from keisan.domain.link import LinkSide, LinkState
from keisan.domain.platform import PlatformKind
from keisan.wire.base import Region, SecretText, WireInput, WireView
from keisan.wire.invitation import TOKEN_CHARACTERS_MAX, Label


class LinkJoin(WireInput):
    """An invitation that was handed over, for this platform to join, or move to, whoever made it."""

    token: Annotated[SecretText, Field(max_length=TOKEN_CHARACTERS_MAX)]


class LinkApproval(WireInput):
    """What a child is given. Left out, what its invitation proposed; an industry platform has no region."""

    region: Region | None = None
    prefix: Label | None = None


class LinkEnd(WireInput):
    """Why a child is revoked or rejected, for the audit log."""

    reason: Annotated[str, Field(max_length=500)] = ""


class DepartureStepView(WireView):
    """A step by which this platform leaves a parent."""

    name: StepName
    state: StepState
    detail: str


class LinkView(WireView):
    """A link to a neighbour. `is_clock_off` says that the clocks are more than 30 s apart.

    `closed` counts why its connections ended since the platform was started, by code.
    """

    id: UUID
    platform_id: str
    neighbour_id: str
    side: LinkSide
    state: LinkState
    name: str
    kind: PlatformKind
    region: str | None
    prefix: str
    epoch: int
    url: str
    certificate_ends_at: datetime | None
    offset_ms: int | None
    is_clock_off: bool
    heard_at: datetime | None
    reviewer: str
    reviewed_at: datetime | None
    ended_at: datetime | None
    fault: str
    departure: tuple[DepartureStepView, ...]
    successor_id: UUID | None
    version: int
    created_at: datetime
    closed: dict[str, int] = {}
