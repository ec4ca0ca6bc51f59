"""A webhook: where an organization, or the platform itself, wants to be told of alerts, signed by a secret of its own.

The secret is made of a stored salt and a root that no database holds, as those of doors are; it is shown once.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from keisan.domain import key
from keisan.domain.alert import Alert, AlertKind
from keisan.domain.ids import OrganizationId, PlatformId, WebhookId
from keisan.domain.key import Secret
from keisan.domain.limits import WEBHOOK_SECRET_KEPT_S

WEBHOOK_PREFIX = "ws-keisan-"


class WebhookState(StrEnum):
    """A disabled webhook is told nothing: what arises meanwhile is never sent, what waits is sent once it is enabled."""

    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Webhook:
    """`organization_id` None: the platform's own, which hears of all that its operator sees. `kinds` empty wants all.

    `other_salt` is that of the secret before, empty: none; it signs too until WEBHOOK_SECRET_KEPT_S after `rotated_at`.
    """

    id: WebhookId
    platform_id: PlatformId
    organization_id: OrganizationId | None
    url: str
    kinds: tuple[AlertKind, ...]
    state: WebhookState
    salt: str
    other_salt: str
    rotated_at: datetime | None
    version: int
    created_at: datetime

    def is_wanting(self, alert: Alert) -> bool:
        """Tell whether an alert is to be sent here."""
        is_seen = self.organization_id is None or self.organization_id == alert.organization_id
        is_chosen = not self.kinds or alert.kind in self.kinds
        return self.state is WebhookState.ENABLED and is_seen and is_chosen


def derive_secret(root: Secret, webhook_id: WebhookId, salt: str) -> Secret:
    """Return the secret of a salt of one webhook."""
    return key.derive_secret(WEBHOOK_PREFIX, root, webhook_id, salt)


def list_salts(webhook: Webhook, now: datetime) -> tuple[str, ...]:
    """Return the salts of the secrets that sign now, the newest first."""
    kept_until = (webhook.rotated_at or now) + timedelta(seconds=WEBHOOK_SECRET_KEPT_S)
    is_other_kept = bool(webhook.other_salt) and now < kept_until
    return (webhook.salt, webhook.other_salt) if is_other_kept else (webhook.salt,)


def sign_body(secrets: tuple[Secret, ...], body: bytes, unix_s: int) -> str:
    """Return the header `Keisan-Signature`: the time, and of each secret the HMAC-SHA256 of time, a dot and the body."""
    signed = b"%d.%s" % (unix_s, body)
    marks = [hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={unix_s}", *(f"v1={mark}" for mark in marks)])
