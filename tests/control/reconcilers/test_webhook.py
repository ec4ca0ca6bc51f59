"""Deliveries to a real receiver: strictly in order, again until taken or given up, signed, and never past a gap."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from random import Random

import pytest

from keisan.control.context import Control
from keisan.control.delivery import send_again
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers.webhook import WebhookReconciler
from keisan.control.webhook import ShownWebhook, create_webhook, rotate_webhook, update_webhook
from keisan.domain.access import PlatformScope, Principal, Role
from keisan.domain.alert import Alert, AlertDraft, AlertKind
from keisan.domain.delivery import Delivery, DeliveryState
from keisan.domain.errors import StorageUnavailable
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import DELIVERY_LIFE_S, WEBHOOK_SECRET_KEPT_S
from keisan.domain.page import PageRequest
from keisan.domain.webhook import WebhookState
from keisan.kit.ids import create_id
from keisan.kit.outbound import Outbound
from keisan.ledger.alert import raise_alerts
from keisan.wire.webhook import WebhookCreate, WebhookUpdate
from tests.control.people import add_key, count_actions, list_events
from tests.control.receiver import Receiver, run_receiver
from tests.docs.receiver import load_check
from tests.factories import FixedClock, World

EVERYTHING = PlatformScope()


@dataclass
class Post:
    """A webhook of the left organization that leads to a receiver, and the loop that sends to it."""

    control: Control
    clock: FixedClock
    world: World
    owner: Principal
    receiver: Receiver
    shown: ShownWebhook
    loop: LeaseLoop

    async def raise_alert(self, **changes: object) -> Alert:
        draft = AlertDraft(self.world.left.organization.id, AlertKind.WALLET_LOW, create_id(), {"currency": "CNY"})
        async with self.control.storage.write() as transaction:
            [alert] = await raise_alerts(
                transaction,
                [replace(draft, **changes)],  # type: ignore[arg-type]  # fields by name
                self.clock.now(),
            )
        return alert

    async def list_deliveries(self) -> list[Delivery]:
        async with self.control.storage.read() as view:
            page = await view.deliveries.list_webhook(EVERYTHING, self.shown.webhook.id, PageRequest(limit=500))
        return list(page.items)

    async def run_until_quiet(self, rounds_max: int = 100) -> None:
        for _ in range(rounds_max):
            if not await self.loop.run_round():
                return
        raise AssertionError("the loop never came to rest")

    async def run_for(self, time: timedelta) -> None:
        """Let the time pass in steps, each as long as the next delivery waits at least."""
        end = self.clock.now() + time
        while self.clock.now() < end:
            await self.run_until_quiet()
            waiting = [each.next_at for each in await self.list_deliveries() if each.state is DeliveryState.PENDING]
            self.clock.instant = min([end, *(at for at in waiting if at > self.clock.now())])
        await self.run_until_quiet()


def build_loop(control: Control) -> LeaseLoop:
    reconciler = WebhookReconciler(control, Outbound(is_local_open=True, timeout_s=5.0), random=Random(7))
    return LeaseLoop(control, {WorkNoun.WEBHOOK: reconciler}, leases_max=1, random=Random(7))


@pytest.fixture
async def post(control: Control, clock: FixedClock, world: World) -> AsyncIterator[Post]:
    open_control = replace(control, is_insecure=True)
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    async with run_receiver() as receiver:
        shown = await create_webhook(open_control, owner, WebhookCreate(url=receiver.url))
        yield Post(open_control, clock, world, owner, receiver, shown, build_loop(open_control))


async def test_alert_is_sent_signed_and_told_whole(post: Post) -> None:
    alert = await post.raise_alert()
    await post.run_until_quiet()
    [request] = post.receiver.requests
    assert request.headers["keisan-alert-id"] == str(alert.id)
    assert request.headers["keisan-alert-sequence"] == "1"
    assert request.headers["content-type"] == "application/json"
    now_s = post.clock.now().timestamp()
    is_genuine, signature = load_check(), request.headers["keisan-signature"]
    assert is_genuine(post.shown.secret.reveal(), signature, request.body, now_s)
    assert not is_genuine(post.shown.secret.reveal() + "x", signature, request.body, now_s)
    told = json.loads(request.body)
    assert (told["kind"], told["detail"]) == ("wallet_low", {"currency": "CNY"})
    assert (told["id"], told["subject_id"]) == (str(alert.id), str(alert.subject_id))
    assert told["organization_id"] == str(post.world.left.organization.id)
    [delivery] = await post.list_deliveries()
    assert (delivery.state, delivery.attempt_count, delivery.last_answer) == (DeliveryState.DELIVERED, 1, "HTTP 200")


@pytest.mark.parametrize("seed", range(5))
async def test_order_holds_and_nothing_is_left_out_while_tries_fail(post: Post, seed: int) -> None:
    random = Random(seed)
    post.receiver.script = lambda _: random.choice([200, 204, 500, 429, 302, None, 404])
    for _ in range(12):
        await post.raise_alert()
        if random.random() < 0.5:
            await post.run_until_quiet()
    await post.run_for(timedelta(hours=20))
    assert {each.state for each in await post.list_deliveries()} == {DeliveryState.DELIVERED}
    assert [sequence for sequence, _ in groupby(post.receiver.sequences)] == list(range(1, 13))
    assert len(post.receiver.sequences) > 12


async def test_waits_grow_from_five_seconds_to_an_hour(post: Post) -> None:
    post.receiver.script = lambda _: 503
    await post.raise_alert()
    waits = []
    for _ in range(14):
        before = len(post.receiver.requests)
        await post.run_until_quiet()
        assert len(post.receiver.requests) == before + 1
        [delivery] = await post.list_deliveries()
        waits.append((delivery.next_at - post.clock.now()).total_seconds())
        post.clock.instant = delivery.next_at - timedelta(microseconds=1)
        await post.run_until_quiet()
        assert len(post.receiver.requests) == before + 1
        post.clock.instant = delivery.next_at
    for number, wait_s in enumerate(waits):
        span_s = min(3600, 5 * 2**number)
        assert span_s / 2 <= wait_s <= span_s, number
    assert len(set(waits)) == len(waits)


async def test_new_alert_hastens_no_try(post: Post) -> None:
    post.receiver.script = lambda _: 503
    await post.raise_alert()
    await post.run_until_quiet()
    await post.raise_alert()
    await post.run_until_quiet()
    assert post.receiver.sequences == [1]


@pytest.mark.parametrize("code", [302, 400, 500])
async def test_anything_but_success_is_no_taking(post: Post, code: int) -> None:
    post.receiver.script = lambda _: code
    await post.raise_alert()
    await post.run_until_quiet()
    [delivery] = await post.list_deliveries()
    assert (delivery.state, delivery.last_answer) == (DeliveryState.PENDING, f"HTTP {code}")


async def test_one_that_is_never_taken_dies_with_an_event_and_the_next_is_sent(post: Post) -> None:
    post.receiver.script = lambda _: 500
    first = await post.raise_alert()
    await post.run_until_quiet()
    post.clock.instant += timedelta(hours=1)
    await post.raise_alert()
    await post.run_for(timedelta(seconds=DELIVERY_LIFE_S) - timedelta(hours=3))
    assert {each.state for each in await post.list_deliveries()} == {DeliveryState.PENDING}
    assert set(post.receiver.sequences) == {1}
    post.receiver.script = lambda number: 500 if post.receiver.sequences[-1:] != [2] and number < 10**9 else 200
    await post.run_for(timedelta(hours=4))
    dead = (await post.list_deliveries())[0]
    assert (dead.state, dead.alert_id, dead.last_answer) == (DeliveryState.DEAD, first.id, "HTTP 500")
    # The second came only after the first was given up.
    assert [sequence for sequence, _ in groupby(post.receiver.sequences)] == [1, 2]
    events = [event for event in await list_events(post.control) if event.action == "delivery.dead"]
    assert events[0].noun_id == dead.id
    assert events[0].detail["sequence"] == "1"


async def test_dead_one_is_sent_again_under_its_own_sequence(post: Post) -> None:
    post.receiver.script = lambda _: None
    await post.raise_alert()
    await post.run_for(timedelta(seconds=DELIVERY_LIFE_S) + timedelta(hours=2))
    [dead] = await post.list_deliveries()
    assert dead.state is DeliveryState.DEAD
    post.receiver.script = lambda _: 200
    await post.raise_alert()
    await post.run_until_quiet()
    await send_again(post.control, post.owner, dead.webhook_id, dead.id)
    await post.run_until_quiet()
    assert post.receiver.sequences[-2:] == [2, 1]
    assert {each.state for each in await post.list_deliveries()} == {DeliveryState.DELIVERED}


async def test_answer_that_is_lost_sends_twice_and_loses_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    apply = WebhookReconciler.apply
    faults = [StorageUnavailable("cut"), StorageUnavailable("cut again")]

    async def break_off(*parts: object) -> object:
        if faults:
            raise faults.pop()
        return await apply(*parts)  # type: ignore[arg-type]  # as the loop gave them

    monkeypatch.setattr(WebhookReconciler, "apply", break_off)
    for _ in range(3):
        await post.raise_alert()
    for _ in range(10):
        await post.run_until_quiet()
        post.clock.instant += timedelta(seconds=5)
    assert post.receiver.sequences == [1, 1, 1, 2, 3]


async def test_many_loops_send_each_once_and_in_order(post: Post) -> None:
    for _ in range(10):
        await post.raise_alert()
    loops = [build_loop(post.control) for _ in range(4)]
    for _ in range(20):
        await asyncio.gather(*(loop.run_round() for loop in loops))
    assert post.receiver.sequences == list(range(1, 11))


async def test_disabled_webhook_is_told_nothing_and_later_what_waited(post: Post) -> None:
    post.receiver.script = lambda _: 500
    await post.raise_alert()
    await post.run_until_quiet()
    webhook = await update_webhook(
        post.control, post.owner, post.shown.webhook.id, 1, WebhookUpdate(state=WebhookState.DISABLED)
    )
    await post.raise_alert()
    await post.run_for(timedelta(hours=2))
    assert post.receiver.sequences == [1]
    post.receiver.script = lambda _: 200
    await update_webhook(post.control, post.owner, webhook.id, 2, WebhookUpdate(state=WebhookState.ENABLED))
    await post.run_until_quiet()
    assert post.receiver.sequences == [1, 1]
    await post.raise_alert()
    await post.run_until_quiet()
    assert post.receiver.sequences == [1, 1, 2]


async def test_kinds_and_owners_are_told_apart(post: Post, world: World) -> None:
    chosen = WebhookUpdate(kinds=(AlertKind.STATEMENT_CLOSED,))
    await update_webhook(post.control, post.owner, post.shown.webhook.id, 1, chosen)
    await post.raise_alert()
    await post.raise_alert(organization_id=world.right.organization.id, kind=AlertKind.STATEMENT_CLOSED)
    await post.raise_alert(organization_id=None, kind=AlertKind.STATEMENT_CLOSED)
    wanted = await post.raise_alert(kind=AlertKind.STATEMENT_CLOSED)
    await post.run_until_quiet()
    assert [request.headers["keisan-alert-id"] for request in post.receiver.requests] == [str(wanted.id)]


async def test_platform_s_own_webhook_hears_of_all(post: Post, world: World) -> None:
    admin = await add_key(post.control, world.left.project, Role.PLATFORM_ADMIN)
    async with run_receiver() as receiver:
        shown = await create_webhook(post.control, admin, WebhookCreate(url=receiver.url))
        assert shown.webhook.organization_id is None
        alerts = [await post.raise_alert(organization_id=None), await post.raise_alert()]
        await post.run_until_quiet()
        assert receiver.sequences == [1, 2]
        assert [request.headers["keisan-alert-id"] for request in receiver.requests] == [
            str(each.id) for each in alerts
        ]


async def test_both_secrets_sign_for_a_day_after_a_rotation(post: Post) -> None:
    rotated = await rotate_webhook(post.control, post.owner, post.shown.webhook.id)
    assert rotated.secret.reveal() != post.shown.secret.reveal()
    is_genuine, taken = load_check(), []
    for wait_s in (0, WEBHOOK_SECRET_KEPT_S - 1, 1):
        post.clock.instant += timedelta(seconds=wait_s)
        await post.raise_alert()
        await post.run_until_quiet()
        request, now_s = post.receiver.requests[-1], post.clock.now().timestamp()
        taken.append(
            [
                is_genuine(shown.secret.reveal(), request.headers["keisan-signature"], request.body, now_s)
                for shown in (post.shown, rotated)
            ]
        )
    assert taken == [[True, True], [True, True], [False, True]]


async def test_address_of_ours_is_not_sent_to(post: Post) -> None:
    """The URL passed when it was set; what its host leads to now is what counts."""
    refusing = LeaseLoop(post.control, {WorkNoun.WEBHOOK: WebhookReconciler(post.control, Outbound())}, leases_max=1)
    await post.raise_alert()
    assert await refusing.run_round() == 1
    [delivery] = await post.list_deliveries()
    assert (delivery.state, post.receiver.requests) == (DeliveryState.PENDING, [])
    assert "https" in delivery.last_answer


async def test_alert_of_a_transaction_that_fails_was_never_raised(post: Post) -> None:
    async def fail() -> None:
        async with post.control.storage.write() as transaction:
            draft = AlertDraft(post.world.left.organization.id, AlertKind.WALLET_LOW, create_id(), {})
            await raise_alerts(transaction, [draft], post.clock.now())
            raise StorageUnavailable("cut")

    with pytest.raises(StorageUnavailable):
        await fail()
    await post.run_until_quiet()
    assert (post.receiver.requests, await post.list_deliveries()) == ([], [])
    await post.raise_alert()
    await post.run_until_quiet()
    assert post.receiver.sequences == [1]
    assert (await count_actions(post.control))["alert.raised"] == 1


async def test_missing_webhook_is_no_work(control: Control) -> None:
    reconciler = WebhookReconciler(control, Outbound())
    async with control.storage.read() as view:
        assert await reconciler.load(view, create_id()) is None
