"""`keisan webhooks`: where alerts are sent, by which secret they are signed, and what became of each."""

from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.organization import choose_organization
from keisan.cli.session import Session
from keisan.sdk import AlertKind, WebhookCreate, WebhookState, WebhookUpdate, WebhookView

UrlArgument = Annotated[str, typer.Argument(help="Where to send alerts: https, at a public address.")]
WebhookArgument = Annotated[UUID, typer.Argument(help="The webhook's id, from `keisan webhooks list`.")]
DeliveryArgument = Annotated[UUID, typer.Argument(help="The delivery's id, from `keisan webhooks deliveries`.")]
KindOption = Annotated[list[AlertKind] | None, typer.Option(help="A kind of alert to send; repeat it. Default: all.")]
OrganizationOption = Annotated[
    str | None, typer.Option(help="Name or id of the organization; by default the key's own, or the platform.")
]


async def list_webhooks(session: Session) -> None:
    """List webhooks."""
    found = [line async for line in session.keisan.webhooks.list()]
    rows = [
        (line.id, line.organization_id or "the platform", line.url, _describe_kinds(line), line.state) for line in found
    ]
    session.output.show_views(found, ("id", "organization", "url", "kinds", "state"), rows)


async def create_webhook(
    session: Session, url: UrlArgument, kind: KindOption = None, organization: OrganizationOption = None
) -> None:
    """Make a webhook and print the secret that signs what is sent, this once."""
    owner = None if organization is None else (await choose_organization(session, organization)).id
    made = await session.keisan.webhooks.create(WebhookCreate(url=url, kinds=tuple(kind or ()), organization_id=owner))
    session.output.show_view(made, made.secret)


async def enable_webhook(session: Session, webhook_id: WebhookArgument) -> None:
    """Send alerts to a webhook again, those first that waited when it was disabled."""
    await _set_state(session, webhook_id, WebhookState.ENABLED)


async def stop_webhook(session: Session, webhook_id: WebhookArgument) -> None:
    """Send a webhook nothing; what arises meanwhile is never sent to it."""
    await _set_state(session, webhook_id, WebhookState.DISABLED)


async def rotate_webhook(session: Session, webhook_id: WebhookArgument) -> None:
    """Replace a webhook's secret and print the new one, this once; the one before signs beside it for a day."""
    shown = await session.keisan.webhooks.rotate(webhook_id)
    session.output.show_view(shown, shown.secret)


async def list_deliveries(session: Session, webhook_id: WebhookArgument) -> None:
    """List what was sent to a webhook and what waits, in order."""
    found = [line async for line in session.keisan.deliveries.list(webhook_id)]
    rows = [(line.id, line.sequence, line.alert_id, line.state, line.attempt_count, line.last_answer) for line in found]
    session.output.show_views(found, ("id", "sequence", "alert", "state", "tries", "last answer"), rows)


async def send_again(session: Session, webhook_id: WebhookArgument, delivery_id: DeliveryArgument) -> None:
    """Send a dead delivery again."""
    wanted = await session.keisan.deliveries.redeliver(webhook_id, delivery_id)
    session.output.show_view(wanted, f"{wanted.sequence} is {wanted.state}")


async def _set_state(session: Session, webhook_id: UUID, state: WebhookState) -> None:
    seen = await session.keisan.webhooks.get(webhook_id)
    changed = await session.keisan.webhooks.update(seen, WebhookUpdate(state=state))
    session.output.show_view(changed, f"{changed.url} is {changed.state}")


def _describe_kinds(webhook: WebhookView) -> str:
    return ", ".join(webhook.kinds) or "all"


def add_commands(application: typer.Typer) -> None:
    """Add webhooks list, create, enable, disable, rotate, deliveries and redeliver."""
    group = typer.Typer(help="Webhooks: where alerts are sent.", no_args_is_help=True)
    add_command(group, "list", list_webhooks)
    add_command(group, "create", create_webhook)
    add_command(group, "enable", enable_webhook)
    add_command(group, "disable", stop_webhook)
    add_command(group, "rotate", rotate_webhook)
    add_command(group, "deliveries", list_deliveries)
    add_command(group, "redeliver", send_again)
    application.add_typer(group, name="webhooks")
