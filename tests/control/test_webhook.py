"""Commands on webhooks: within the scope, to hosts that may be sent to, and a secret that is kept nowhere."""

from dataclasses import replace

import pytest

from keisan.control.context import Control
from keisan.control.webhook import create_webhook, rotate_webhook, update_webhook
from keisan.domain.access import Role
from keisan.domain.alert import AlertKind
from keisan.domain.errors import (
    InvalidInput,
    InvariantBroken,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    VersionMismatch,
)
from keisan.domain.limits import WEBHOOKS_MAX
from keisan.domain.page import PageRequest
from keisan.domain.webhook import WebhookState, derive_secret
from keisan.wire.webhook import WebhookCreate, WebhookUpdate
from tests.control.people import EVERYTHING, add_key, count_actions, list_events, take_work
from tests.factories import World

BODY = WebhookCreate(url="https://receiver.example/alerts", kinds=(AlertKind.WALLET_LOW, AlertKind.WALLET_LOW))


async def test_secret_is_shown_and_only_its_salt_is_kept(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    shown = await create_webhook(control, owner, BODY)
    async with control.storage.read() as view:
        stored = await view.webhooks.get(owner.scope, shown.webhook.id)
    assert stored == shown.webhook
    assert (stored.organization_id, stored.kinds) == (world.left.organization.id, (AlertKind.WALLET_LOW,))
    secret = shown.secret.reveal()
    assert secret == derive_secret(control.get_webhook_root(), stored.id, stored.salt).reveal()
    event = (await list_events(control))[-1]
    assert (event.action, event.noun_id, event.actor) == ("webhook.created", stored.id, f"key:{owner.id}")
    for kept in (stored, event):
        assert secret not in repr(kept)
    assert stored.salt not in repr(event)


async def test_rotation_keeps_the_salt_before_and_no_other(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    first = await create_webhook(control, owner, BODY)
    second = await rotate_webhook(control, owner, first.webhook.id)
    third = await rotate_webhook(control, owner, first.webhook.id)
    assert len({shown.secret.reveal() for shown in (first, second, third)}) == 3
    assert (third.webhook.other_salt, third.webhook.rotated_at) == (second.webhook.salt, control.clock.now())
    assert third.webhook.version == 3
    assert (await count_actions(control))["webhook.rotated"] == 2


async def test_change_is_of_what_is_named_and_makes_what_waits_due(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    made = (await create_webhook(control, owner, BODY)).webhook
    await take_work(control)
    changed = await update_webhook(control, owner, made.id, 1, WebhookUpdate(state=WebhookState.DISABLED))
    assert changed == replace(made, state=WebhookState.DISABLED, version=2)
    assert [lease.noun_id for lease in await take_work(control)] == [made.id]
    everything = WebhookUpdate(url="https://other.example/", kinds=())
    again = await update_webhook(control, owner, made.id, 2, everything)
    assert (again.url, again.kinds, again.state) == ("https://other.example/", (), WebhookState.DISABLED)
    with pytest.raises(VersionMismatch):
        await update_webhook(control, owner, made.id, 2, everything)


@pytest.mark.parametrize(
    "url", ["http://receiver.example/", "https://10.0.0.1/", "https://[::1]/", "http://127.0.0.1/"]
)
async def test_host_that_is_not_sent_to_is_refused(control: Control, world: World, url: str) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(InvalidInput) as caught:
        await create_webhook(control, owner, WebhookCreate(url=url))
    assert caught.value.field == "url"
    with pytest.raises(InvalidInput):
        await update_webhook(control, owner, world.left.webhook.id, 1, WebhookUpdate(url=url))
    assert (await count_actions(control)).total() == 0


async def test_own_host_is_open_on_an_insecure_platform_only(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    made = await create_webhook(replace(control, is_insecure=True), owner, WebhookCreate(url="http://127.0.0.1:1/"))
    assert made.webhook.url == "http://127.0.0.1:1/"


async def test_owner_is_the_asker_s_own_or_the_named_one_in_scope(control: Control, world: World) -> None:
    left, right = world.left.organization.id, world.right.organization.id
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    named = BODY.model_copy(update={"organization_id": right})
    assert (await create_webhook(control, admin, named)).webhook.organization_id == right
    assert (await create_webhook(control, admin, BODY)).webhook.organization_id is None
    own = BODY.model_copy(update={"organization_id": left})
    assert (await create_webhook(control, owner, own)).webhook.organization_id == left
    with pytest.raises(NotFound):
        await create_webhook(control, owner, named)
    nobody = BODY.model_copy(update={"organization_id": world.left.project.id})
    with pytest.raises(NotFound):
        await create_webhook(control, admin, nobody)


async def test_others_are_neither_changed_nor_rotated(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    for work in (
        update_webhook(control, owner, world.right.webhook.id, 1, WebhookUpdate(state=WebhookState.ENABLED)),
        rotate_webhook(control, owner, world.right.webhook.id),
    ):
        with pytest.raises(NotFound):
            await work
    async with control.storage.read() as view:
        assert await view.webhooks.get(EVERYTHING, world.right.webhook.id) == world.right.webhook


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.PROVIDER, Role.DEVELOPER])
async def test_readers_make_none(control: Control, world: World, role: Role) -> None:
    provider_id = world.left.provider.id if role is Role.PROVIDER else None
    asker = await add_key(control, world.left.project, role, provider_id)
    for work in (
        create_webhook(control, asker, BODY),
        update_webhook(control, asker, world.left.webhook.id, 1, WebhookUpdate(kinds=())),
        rotate_webhook(control, asker, world.left.webhook.id),
    ):
        with pytest.raises(PermissionDenied):
            await work


async def test_each_owner_has_so_many_and_no_more(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    # One is the world's own.
    for _ in range(WEBHOOKS_MAX - 1):
        await create_webhook(control, owner, BODY)
    with pytest.raises(LimitExceeded):
        await create_webhook(control, owner, BODY)
    other = await add_key(control, world.right.project, Role.ORGANIZATION_ADMIN)
    await create_webhook(control, other, BODY)
    async with control.storage.read() as view:
        assert len((await view.webhooks.list(owner.scope, PageRequest())).items) == WEBHOOKS_MAX


async def test_process_without_a_root_makes_none(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(InvariantBroken):
        await create_webhook(replace(control, webhook_root=None), owner, BODY)
