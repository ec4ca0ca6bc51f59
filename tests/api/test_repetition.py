"""Writes that the database ends for the sake of another: done again here, whole, and posted once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import text
from starlette.types import Message, Receive, Scope, Send

from keisan.api.app import create_app
from keisan.api.context import ApiContext
from keisan.api.repetition import TRIES_MAX, Repetition
from keisan.control.snapshot import SnapshotFeed
from keisan.control.telemetry import FleetWatch
from keisan.domain.errors import StorageUnavailable, TransactionConflict
from keisan.domain.page import PageRequest
from tests.api.stage import BASE_URL, EVERYTHING, Stage, build_record
from tests.books import Books, check_whole, drop_settlement, dump, read_books
from tests.faults import Deadlock, Faults, Side, open_faulty

CROSSINGS_MAX = 5
WAITS_MAX = 1_000
Ask = Callable[[Stage, int], Awaitable[httpx.Response]]


async def hand_in(stage: Stage, number: int) -> httpx.Response:
    return await stage.ask("gateway", "POST", "/gateway/usage", build_record(stage))


async def top_up(stage: Stage, number: int) -> httpx.Response:
    path = f"/organizations/{stage.project.organization_id}/top-ups"
    return await stage.ask("admin", "POST", path, {"amount_nano": str(number), "currency": "CNY"})


async def top_up_once(stage: Stage, number: int) -> httpx.Response:
    path = f"/organizations/{stage.project.organization_id}/top-ups"
    key = {"idempotency-key": f"top-up {number}"}
    return await stage.ask("admin", "POST", path, {"amount_nano": str(number), "currency": "CNY"}, key)


ASKS = pytest.mark.parametrize("ask", [hand_in, top_up, top_up_once])


@asynccontextmanager
async def open_failing(stage: Stage, faults: Faults) -> AsyncIterator[Stage]:
    """Open the application of a stage again, over storage that fails as told."""
    control = replace(stage.control, storage=open_faulty(stage.storage, stage.clock, faults))
    app = create_app(ApiContext(control, SnapshotFeed(control), FleetWatch(control, {}), "0.1.0"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL, timeout=30) as http:
        yield replace(stage, control=control, app=app, http=http)


def count_entries(books: Books) -> int:
    return sum(books.entries.values())


@ASKS
@pytest.mark.postgresql
async def test_conflict_at_any_statement_is_nobodys_business(postgresql_stage: Stage, ask: Ask) -> None:
    faults = Faults()
    await drop_settlement(postgresql_stage.storage)
    async with open_failing(postgresql_stage, faults) as stage:
        # The first opens accounts, the second is as all after it. The commit is the last step: a conflict undoes all there too.
        for number in (1, 2):
            faults.arm(None)
            assert (await ask(stage, number)).is_success
        steps = len(faults.trail)
        before = await read_books(stage.storage)
        for at in range(1, steps + 1):
            faults.arm(at, Side.BEFORE, Deadlock)
            answer = await ask(stage, 2 + at)
            assert answer.is_success, answer.text
            assert faults.at is None, "it was raised"
        after = await read_books(stage.storage)
        assert count_entries(after) - count_entries(before) == steps > 10
        await check_whole(stage.storage)


@ASKS
@pytest.mark.postgresql
async def test_conflict_that_does_not_end_is_told_and_nothing_is_posted(postgresql_stage: Stage, ask: Ask) -> None:
    faults = Faults()
    async with open_failing(postgresql_stage, faults) as stage:
        before = await dump(stage.storage)
        faults.arm(3, Side.AFTER, Deadlock, times=TRIES_MAX)
        answer = await ask(stage, 1)
        assert (answer.status_code, answer.json()["code"]) == (503, "transaction_conflict")
        assert (answer.json()["retryable"], answer.headers["retry-after"]) == (True, "1")
        assert (await dump(stage.storage), faults.times) == (before, 0)
        assert (await ask(stage, 1)).is_success


async def count_waiting(stage: Stage) -> int:
    """Return how many locks are waited for."""
    async with stage.storage._dialect.open_reader() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))).scalar_one())


async def cross(stage: Stage, asking: Awaitable[httpx.Response]) -> tuple[httpx.Response, bool]:
    """Lock the journal's end and then all accounts, while a request has them the other way round.

    Return its answer, and whether this side was let go on.
    """
    task: asyncio.Future[httpx.Response] | None = None
    is_through = True
    try:
        async with stage.storage.write() as transaction:
            await transaction.entries.lock_end()
            task = asyncio.ensure_future(asking)
            for _ in range(WAITS_MAX):
                if await count_waiting(stage):
                    break
                await asyncio.sleep(0.01)
            accounts = (await transaction.accounts.list(EVERYTHING, PageRequest())).items
            await transaction.accounts.lock([account.id for account in accounts])
    except TransactionConflict:
        is_through = False
    assert task is not None
    return await task, is_through


@ASKS
@pytest.mark.postgresql
async def test_write_that_waited_in_a_real_ring_is_done_once(
    postgresql_stage: Stage, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL ends whoever looks first for a ring, a second after beginning to wait: usually the request."""
    stage = postgresql_stage
    await drop_settlement(stage.storage)
    endings: list[bool] = []
    assert (await ask(stage, 1)).is_success
    before = await read_books(stage.storage)
    while True not in endings:
        assert len(endings) < CROSSINGS_MAX
        answer, is_through = await cross(stage, ask(stage, 2 + len(endings)))
        assert answer.is_success, answer.text
        endings.append(is_through)
    assert [record.message for record in caplog.records].count("write.repeated") == endings.count(True)
    after = await read_books(stage.storage)
    assert count_entries(after) - count_entries(before) == len(endings)
    await check_whole(stage.storage)


class Server:
    """A server that meets the same fault so often, and then answers with the body that it read."""

    def __init__(self, fault: Exception, times: int) -> None:
        self.fault = fault
        self.times = times
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope.setdefault("of this try", len(self.bodies)) == len(self.bodies)
        body, is_more = b"", scope["method"] == "POST"
        while is_more:
            message = await receive()
            body, is_more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        if len(self.bodies) <= self.times:
            raise self.fault
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def run(server: Server, method: str = "POST", kind: str = "http") -> list[Message]:
    pieces, sent = [b"one ", b"two"], list[Message]()

    async def receive() -> Message:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    await Repetition(server)({"type": kind, "method": method, "path": "/x"}, receive, send)
    return sent


CONFLICT = TransactionConflict("ended")


async def test_each_try_reads_the_whole_request() -> None:
    server = Server(CONFLICT, TRIES_MAX - 1)
    assert len(await run(server)) == 1
    assert server.bodies == [b"one two"] * TRIES_MAX


@pytest.mark.parametrize(
    ("fault", "method", "kind", "tries"),
    [
        (CONFLICT, "POST", "http", TRIES_MAX),
        (CONFLICT, "GET", "http", 1),
        (CONFLICT, "POST", "lifespan", 1),
        # Nobody knows what became of it, or it would wait again.
        (StorageUnavailable("cut off"), "POST", "http", 1),
    ],
)
async def test_no_more_is_tried_than_helps(fault: Exception, method: str, kind: str, tries: int) -> None:
    server = Server(fault, TRIES_MAX)
    with pytest.raises(type(fault)):
        await run(server, method, kind)
    assert len(server.bodies) == tries
