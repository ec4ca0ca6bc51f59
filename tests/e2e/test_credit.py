"""Prepaid calls through the real relay and the real platform: paid from tickets, refused when nothing is left, none lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import uvicorn

from keisan.api.app import create_app
from keisan.api.context import ApiContext
from keisan.control.snapshot import SnapshotFeed
from keisan.control.telemetry import FleetWatch
from keisan.domain.account import AccountKind
from keisan.domain.call_limits import CallLimits
from keisan.domain.ids import RecordId
from keisan.domain.key import Secret
from keisan.domain.organization import Billing
from keisan.domain.page import PageRequest
from keisan.domain.replica import Endpoint
from keisan.domain.snapshot import SnapshotTable
from keisan.domain.ticket import CreditTerms, TicketState
from keisan.gateway.native import open_relay
from keisan.gateway.options import GatewayOptions, Listener
from keisan.gateway.process import GatewayPorts, run_gateway
from keisan.kit.clock import SystemClock
from keisan.ledger.rule_ticket import close_ticket
from tests.api.conftest import stage, stage_template
from tests.api.stage import EVERYTHING, NANO_PER_MILLION, Stage
from tests.deadline import wait_until_async
from tests.factories import create_door
from tests.gateway.test_native import answer_as_engine
from tests.ledger.credit_world import list_balances, list_open, list_tickets

__all__ = ["stage", "stage_template"]
MODEL = "smollm2-135m-instruct"
# Ten tokens in and two out, at the stage's price.
COST_NANO = 8_000
# More than a call reserves (each byte of its body and 64 tokens of template as input, four tokens of output), and so
# little that less is left after one.
RESERVED_NANO = 85_000
# What the stage has leased to another platform, at the rate of its ticket, stands aside from the wallet.
ASIDE_NANO = 2
TERMS = CreditTerms(renew_s=1)
# Who is silent for three times as long is waited for no more.
PATIENT_TERMS = CreditTerms(renew_s=5)


async def wait_for(is_met: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as `is_met()`; raises TimeoutError after a minute."""
    async with asyncio.timeout(60):
        while not await is_met():  # noqa: ASYNC110  # nothing tells when a row of the database changes
            await asyncio.sleep(0.05)


@dataclass
class Credit:
    """A platform that listens on a real port, its one prepaid organization, and gateways of real relays."""

    stage: Stage
    platform_url: str
    folder: Path
    gateways: AsyncExitStack
    count: int = 0

    async def ask(self, who: str, method: str, path: str, body: object = None) -> httpx.Response:
        """Ask the platform that listens, whose clock is the machine's: the stage's own stands still."""
        headers = {"authorization": f"Bearer {self.stage.secrets[who]}"}
        async with httpx.AsyncClient(base_url=f"{self.platform_url}/api/v1", headers=headers, timeout=30) as http:
            answer = await http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer

    async def top_up(self, amount_nano: int) -> None:
        """Fill the wallet so that this much is in it."""
        (account,) = (await self.ask("owner", "GET", "/accounts")).json()["items"]
        missing_nano = amount_nano - int(account["balance_nano"])
        path, body = f"/organizations/{self.stage.project.organization_id}/top-ups", {"currency": "CNY"}
        await self.ask("admin", "POST", path, body | {"amount_nano": str(missing_nano)})

    async def start_gateway(self, **relay_limits: int) -> httpx.AsyncClient:
        """Return a client of a new gateway, with the developer's key."""
        self.count += 1
        token = (await self.ask("admin", "POST", "/machines/tokens", {"kind": "gateway"})).json()["token"]
        options = GatewayOptions(
            platform_url=self.platform_url,
            ca_path=None,
            folder=self.folder / str(self.count),
            name=f"gateway-{self.count}",
            join_token=Secret(token),
            listener=Listener("127.0.0.1", 0),
            relay_limits=relay_limits,
            exchange_s=60.0,
        )
        return await self.gateways.enter_async_context(self.serve(options))

    @asynccontextmanager
    async def serve(self, options: GatewayOptions) -> AsyncIterator[httpx.AsyncClient]:
        stop, announced = asyncio.Event(), list[str]()

        def announce(host: str, port: int) -> None:
            announced.append(f"http://{host}:{port}")

        async with asyncio.TaskGroup() as group:
            group.create_task(run_gateway(options, GatewayPorts(open_relay, SystemClock(), announce), stop))
            await wait_until_async(lambda: bool(announced), "the gateway listens", 60)
            headers = {"authorization": f"Bearer {self.stage.secrets['developer']}"}
            async with httpx.AsyncClient(base_url=announced[0], headers=headers, timeout=30) as client:
                yield client
            stop.set()

    async def list_suspended(self) -> list[RecordId]:
        """Return the records that suspense paid for, without the one that each stage has."""
        async with self.stage.storage.read() as view:
            found = await view.suspense.list(EVERYTHING, PageRequest())
        return [each.record_id for each in found.items if each.record_id != self.stage.ids["suspended"]]

    async def read_wallet(self) -> int:
        return (await list_balances(self.stage.storage))[AccountKind.WALLET]

    async def list_posted(self) -> dict[str, int]:
        """Return what was posted against tickets, by currency."""
        sums: dict[str, int] = {}
        for ticket in await list_tickets(self.stage.storage):
            sums[ticket.currency] = sums.get(ticket.currency, 0) + ticket.posted_nano
        return sums

    async def count_reports(self) -> int:
        async with self.stage.storage.read() as view:
            return sum(each.sequence for each in await view.incarnations.list_all(EVERYTHING))

    async def close_tickets(self) -> None:
        """Close all tickets, as the platform does when a gateway was silent for too long."""
        clock = SystemClock()
        async with self.stage.storage.write() as transaction:
            tickets = (await transaction.tickets.list(EVERYTHING, PageRequest())).items
            locked = await transaction.tickets.lock([ticket.id for ticket in tickets])
            await transaction.tickets.update_many([close_ticket(each, clock.now()) for each in locked.values()])


@pytest.fixture
def terms() -> CreditTerms:
    """What credit is leased by, unless a test says otherwise."""
    return TERMS


@pytest.fixture
async def credit(stage: Stage, tmp_path: Path, terms: CreditTerms) -> AsyncIterator[Credit]:
    """A prepaid platform with an engine."""
    path = tmp_path / "e.sock"
    engine = await asyncio.start_unix_server(answer_as_engine, path)
    await prepare(stage, path)
    control = replace(stage.control, clock=SystemClock())
    snapshots = SnapshotFeed(control)
    app = create_app(ApiContext(control, snapshots, FleetWatch(control, {}), "0.1.0", terms))
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", ws="none", log_config=None))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        await wait_until_async(lambda: server.started, "the platform listens", 60)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with AsyncExitStack() as gateways:
            yield Credit(stage, f"http://127.0.0.1:{port}", tmp_path, gateways)
        snapshots.close()
        server.should_exit = True
    engine.close()
    await engine.wait_closed()


async def prepare(stage: Stage, engine_path: Path) -> None:
    """Let the organization pay before it calls, bound its key, and give the replica its engine on this host: no door."""
    async with stage.storage.write() as transaction:
        organization = await transaction.organizations.get(EVERYTHING, stage.project.organization_id)
        prepaid = replace(organization, billing=Billing.PREPAID, version=organization.version + 1)
        await transaction.organizations.update(prepaid)
        key = await transaction.keys.get(EVERYTHING, stage.keys["developer"].id)
        bounded = replace(key, limits=CallLimits(requests_per_minute=600), version=key.version + 1)
        await transaction.keys.update(bounded)
        (replica,) = (await transaction.replicas.list(EVERYTHING, PageRequest())).items
        reached = replace(replica, endpoint=Endpoint("unix", str(engine_path)), version=replica.version + 1)
        await transaction.replicas.update(reached)
        door = await transaction.doors.find(EVERYTHING, replica.site_id)
        assert door is not None
        await transaction.doors.update(replace(create_door(stage.site), version=door.version + 1))
        for table, noun_id in (
            (SnapshotTable.DOORS, door.id),
            (SnapshotTable.ORGANIZATIONS, prepaid.id),
            (SnapshotTable.KEYS, key.id),
            (SnapshotTable.REPLICAS, replica.id),
        ):
            await transaction.snapshot.touch(table, [noun_id])


async def call_once(client: httpx.AsyncClient) -> httpx.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    return await client.post("/v1/chat/completions", json=body)


async def call(client: httpx.AsyncClient) -> httpx.Response:
    """Make one call, again while the gateway says that its share of a limit, or credit, is on its way."""
    answers = list[httpx.Response]()

    async def is_answered() -> bool:
        answers.append(await call_once(client))
        return answers[-1].status_code not in {429, 503}

    await wait_for(is_answered)
    return answers[-1]


async def test_calls_are_paid_from_a_ticket_until_nothing_is_left(credit: Credit) -> None:
    await credit.top_up(RESERVED_NANO + 2 * COST_NANO + ASIDE_NANO)
    client = await credit.start_gateway()
    answered = 0
    while (answer := await call(client)).status_code == 200:
        answered += 1
    assert answer.status_code == 402, answer.text
    assert answer.json()["error"]["code"] == "insufficient_credit"
    assert answered >= 1
    left_nano = RESERVED_NANO + 2 * COST_NANO - answered * COST_NANO
    assert str(left_nano) in answer.json()["error"]["message"]

    async def is_posted() -> bool:
        return await credit.read_wallet() == left_nano + ASIDE_NANO

    await wait_for(is_posted)
    (ticket,) = await list_tickets(credit.stage.storage)
    assert (ticket.posted_nano, ticket.held_nano) == (answered * COST_NANO, left_nano)
    assert await credit.list_suspended() == []
    await credit.gateways.aclose()
    (ticket,) = await list_tickets(credit.stage.storage)
    assert (ticket.state, ticket.held_nano) == (TicketState.CLOSED, 0), "its end frees what it held"


async def test_budget_that_fits_one_call_answers_one_of_two_gateways(credit: Credit) -> None:
    clients = [await credit.start_gateway() for _ in range(2)]
    await credit.top_up(RESERVED_NANO)
    answers = await asyncio.gather(*(call(client) for client in clients))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200, [answer.text for answer in answers]
    assert statuses[1] == 402, [answer.text for answer in answers]

    async def is_posted() -> bool:
        return await credit.read_wallet() == RESERVED_NANO - COST_NANO

    await wait_for(is_posted)


async def test_what_one_gateway_does_not_need_comes_to_the_other(credit: Credit) -> None:
    first, second = [await credit.start_gateway() for _ in range(2)]
    await credit.top_up(2 * RESERVED_NANO)
    assert (await call(first)).status_code == 200

    async def is_answered() -> bool:
        return (await call(second)).status_code == 200

    await wait_for(is_answered)
    assert (await list_balances(credit.stage.storage))[AccountKind.SUSPENSE] == 0


@pytest.mark.parametrize("terms", [PATIENT_TERMS])
async def test_first_call_of_another_gateway_waits_for_its_share(credit: Credit) -> None:
    await credit.top_up(40 * RESERVED_NANO)
    first = await credit.start_gateway(credit_wait_ms=20_000)
    assert (await call_once(first)).status_code == 200
    second = await credit.start_gateway(credit_wait_ms=20_000)
    for client in (second, first, second):
        answer = await call_once(client)
        assert answer.status_code == 200, answer.text


async def test_price_in_another_currency_is_paid_from_its_own_wallet(credit: Credit) -> None:
    await credit.top_up(10 * RESERVED_NANO)
    client = await credit.start_gateway()
    assert (await call(client)).status_code == 200
    path, body = f"/organizations/{credit.stage.project.organization_id}/top-ups", {"amount_nano": "1000000"}
    await credit.ask("admin", "POST", path, body | {"currency": "JPY"})
    price = {"model_id": str(credit.stage.ids["model"]), "currency": "JPY", "nano_per_million": NANO_PER_MILLION}
    await credit.ask("admin", "POST", "/prices", price)

    async def is_paid() -> bool:
        assert (await call(client)).status_code == 200
        return (await credit.list_posted()).get("JPY", 0) > 0

    await wait_for(is_paid)
    assert (await credit.list_posted())["CNY"] >= COST_NANO
    assert await credit.list_suspended() == [], "no ticket was asked for what it could not pay"


async def test_ticket_that_was_closed_is_spent_no_more(credit: Credit) -> None:
    await credit.top_up(10 * RESERVED_NANO)
    client = await credit.start_gateway()
    assert (await call(client)).status_code == 200
    await credit.close_tickets()
    heard = await credit.count_reports()

    async def has_heard() -> bool:
        # One report may have been under way.
        return await credit.count_reports() >= heard + 2

    await wait_for(has_heard)
    assert (await call(client)).status_code == 200

    async def is_posted() -> bool:
        return any(ticket.posted_nano for ticket in list_open(await list_tickets(credit.stage.storage)))

    await wait_for(is_posted)


async def test_budget_of_a_key_holds_over_two_gateways_and_may_be_raised(credit: Credit) -> None:
    """The wallet has plenty; what the key may spend is no more than its budget, wherever it calls."""
    await credit.top_up(100 * RESERVED_NANO)
    before_nano = await credit.read_wallet()
    amount_nano = RESERVED_NANO + 4 * COST_NANO
    body = {"key_id": str(credit.stage.keys["developer"].id), "currency": "CNY", "amount_nano": str(amount_nano)}
    budget = (await credit.ask("owner", "POST", "/budgets", body | {"period": "month"})).json()
    clients = [await credit.start_gateway(), await credit.start_gateway()]
    answers = [await call(client) for client in clients]
    while {answer.status_code for answer in answers[-2:]} != {402}:
        answers.append(await call(clients[len(answers) % 2]))
    answer = answers[-1]
    assert answer.json()["error"]["message"].endswith("a budget allows no more"), answer.text

    async def is_posted() -> bool:
        seen = (await credit.ask("owner", "GET", f"/budgets/{budget['id']}")).json()
        assert int(seen["spent_nano"]) + int(seen["held_nano"]) <= amount_nano
        spent_nano = before_nano - await credit.read_wallet()
        return 0 < spent_nano == int(seen["spent_nano"]) == sum((await credit.list_posted()).values())

    await wait_for(is_posted)
    await raise_budget(credit, budget["id"], 10 * RESERVED_NANO)
    assert (await call(clients[0])).status_code == 200


async def raise_budget(credit: Credit, budget_id: str, amount_nano: int) -> None:
    headers = {"authorization": f"Bearer {credit.stage.secrets['owner']}", "if-match": '"1"'}
    async with httpx.AsyncClient(base_url=f"{credit.platform_url}/api/v1", headers=headers, timeout=30) as http:
        answer = await http.patch(f"/budgets/{budget_id}", json={"amount_nano": str(amount_nano)})
    assert answer.is_success, answer.text
