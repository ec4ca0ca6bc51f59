"""Commands on webhooks: create, update, rotate. The secret is shown by the first and the last, and kept nowhere."""

from dataclasses import dataclass, replace

from keisan.control.context import Control, check_version, name_actor
from keisan.domain.access import OrganizationScope, PlatformScope, Principal, Right
from keisan.domain.errors import InvalidInput, LimitExceeded
from keisan.domain.event import EventDraft
from keisan.domain.ids import OrganizationId, WebhookId
from keisan.domain.key import Secret, create_salt
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import WEBHOOKS_MAX
from keisan.domain.webhook import Webhook, WebhookState, derive_secret
from keisan.kit.ids import create_id
from keisan.kit.outbound import OutboundRefused, parse_outbound
from keisan.storage.base import Transaction
from keisan.wire.webhook import WebhookCreate, WebhookUpdate


@dataclass(frozen=True, slots=True)
class ShownWebhook:
    """A webhook and its new secret, which nobody is shown again."""

    webhook: Webhook
    secret: Secret


async def create_webhook(control: Control, principal: Principal, body: WebhookCreate) -> ShownWebhook:
    """Create a webhook of the named organization, of the asker's own, or of the platform where none is named.

    Raises PermissionDenied, NotFound when the organization lies outside the asker's scope, InvalidInput for a URL that
    nothing is sent to, LimitExceeded for one too many.
    """
    principal.require(Right.WRITE_ALERTS)
    _check_url(control, body.url)
    owner_id = _choose_owner(principal, body)
    webhook = Webhook(
        id=WebhookId(create_id()),
        platform_id=control.platform_id,
        organization_id=owner_id,
        url=body.url,
        kinds=tuple(dict.fromkeys(body.kinds)),
        state=WebhookState.ENABLED,
        salt=create_salt(),
        other_salt="",
        rotated_at=None,
        version=1,
        created_at=control.clock.now(),
    )
    async with control.storage.write() as transaction:
        if owner_id is not None:
            await transaction.organizations.get(principal.scope, owner_id)
        # First: its append locks the head until commit, so of two at once the second sees the first.
        await _note(transaction, principal, "webhook.created", webhook)
        if await transaction.webhooks.count_owned(PlatformScope(), owner_id) >= WEBHOOKS_MAX:
            raise LimitExceeded(f"there are {WEBHOOKS_MAX} webhooks already, which is the most; change one of them")
        await transaction.webhooks.insert(webhook)
    return ShownWebhook(webhook, derive_secret(control.get_webhook_root(), webhook.id, webhook.salt))


async def update_webhook(
    control: Control, principal: Principal, webhook_id: WebhookId, expected_version: int, body: WebhookUpdate
) -> Webhook:
    """Change a webhook; what waits for it is sent to where it leads then.

    Raises PermissionDenied, NotFound, VersionMismatch, or InvalidInput for a URL that nothing is sent to.
    """
    principal.require(Right.WRITE_ALERTS)
    named = body.model_fields_set
    if "url" in named:
        _check_url(control, body.url)
    async with control.storage.write() as transaction:
        stored = await transaction.webhooks.get(principal.scope, webhook_id)
        check_version(stored.version, expected_version)
        updated = replace(
            stored,
            url=body.url if "url" in named else stored.url,
            kinds=tuple(dict.fromkeys(body.kinds)) if "kinds" in named else stored.kinds,
            state=body.state if "state" in named else stored.state,
            version=stored.version + 1,
        )
        await transaction.webhooks.update(updated)
        await _note(transaction, principal, "webhook.updated", updated)
        # It may have been disabled while deliveries waited.
        await transaction.outbox.put(WorkNoun.WEBHOOK, webhook_id, control.clock.now())
    return updated


async def rotate_webhook(control: Control, principal: Principal, webhook_id: WebhookId) -> ShownWebhook:
    """Replace a webhook's secret; the one before signs beside it for a day, so that no receiver misses a signature.

    Raises PermissionDenied or NotFound.
    """
    principal.require(Right.WRITE_ALERTS)
    async with control.storage.write() as transaction:
        stored = await transaction.webhooks.get(principal.scope, webhook_id)
        rotated = replace(
            stored,
            salt=create_salt(),
            other_salt=stored.salt,
            rotated_at=control.clock.now(),
            version=stored.version + 1,
        )
        await transaction.webhooks.update(rotated)
        await _note(transaction, principal, "webhook.rotated", rotated)
    return ShownWebhook(rotated, derive_secret(control.get_webhook_root(), rotated.id, rotated.salt))


def _check_url(control: Control, url: str) -> None:
    try:
        parse_outbound(url, is_local_open=control.is_insecure)
    except OutboundRefused as fault:
        raise InvalidInput(str(fault), "url") from fault


def _choose_owner(principal: Principal, body: WebhookCreate) -> OrganizationId | None:
    named = None if body.organization_id is None else OrganizationId(body.organization_id)
    match principal.scope:
        case OrganizationScope(own_id):
            # Another's is not found, where it is looked for.
            return named or own_id
        case _:
            return named


async def _note(transaction: Transaction, principal: Principal, action: str, webhook: Webhook) -> None:
    detail = {
        "organization_id": "" if webhook.organization_id is None else str(webhook.organization_id),
        "url": webhook.url,
        "kinds": ",".join(webhook.kinds),
        "state": str(webhook.state),
    }
    await transaction.events.append(EventDraft(name_actor(principal), action, webhook.id, detail))
