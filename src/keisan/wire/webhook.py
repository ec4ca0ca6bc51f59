"""Webhooks on the wire. A secret crosses once, in the answer to what made it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.alert import AlertKind
from keisan.domain.webhook import WebhookState
from keisan.wire.base import SecretText, WireChange, WireInput, WireView

WEBHOOK_URL_CHARACTERS_MAX = 2048
# Which hosts may be sent to is checked where the URL is used.
WebhookUrl = Annotated[str, Field(max_length=WEBHOOK_URL_CHARACTERS_MAX, pattern=r"^https?://[!-~]+$")]
Kinds = Annotated[tuple[AlertKind, ...], Field(max_length=len(AlertKind))]


class WebhookCreate(WireInput):
    """A new webhook for alerts of these kinds, of all for none.

    `organization_id` may be left out by keys of an organization; by a key of the platform, it makes the platform's own.
    """

    url: WebhookUrl
    kinds: Kinds = ()
    organization_id: UUID | None = None


class WebhookUpdate(WireChange):
    """A change of what is named; needs If-Match."""

    url: WebhookUrl = Field(default_factory=str)
    kinds: Kinds = ()
    state: WebhookState = WebhookState.ENABLED


class WebhookView(WireView):
    """A webhook as the API shows it: never its secret. After `rotated_at` the secret before signs too, for a day."""

    id: UUID
    platform_id: str
    organization_id: UUID | None
    url: str
    kinds: tuple[str, ...]
    state: WebhookState
    rotated_at: datetime | None
    version: int
    created_at: datetime


class WebhookShown(WireView):
    """The answer to a creation or a rotation: `secret` is shown this once."""

    webhook: WebhookView
    secret: SecretText
