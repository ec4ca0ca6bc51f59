"""kill -9 of PostgreSQL and of the platform while usage is handed in: each record is posted once, and the audit holds.

Gateways are played: each hands in its batches in order and says each again until it is answered, sometimes once more, as a
gateway does that died before it noted the answer. A real one's spool under kill -9 is tests/e2e/relay/test_gateway_killed.py.
"""

import asyncio
import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.key import Secret, digest_secret
from keisan.kit.clock import SystemClock
from keisan.ledger.audit import Audit, audit_ledger
from keisan.storage.postgresql import open_postgresql
from keisan.wire.usage import USAGE_BATCH_TYPE
from stage.ledger import Books, plant_books, write_batches
from tests.deadline import let_time_pass, wait_until
from tests.e2e.platform_process import Platform, prepare_data
from tests.postgresql import PostgresqlServer, run_server

pytestmark = [pytest.mark.e2e, pytest.mark.postgresql, pytest.mark.timeout(3600)]
RECORDS = int(os.environ.get("KEISAN_TEST_LEDGER_RECORDS", "30000"))
BATCH_RECORDS = 500
KILLS = int(os.environ.get("KEISAN_TEST_LEDGER_KILLS", "6"))
# What is answered and said again all the same.
REPEAT_SHARE = 0.1
WORK_S_MAX = 1_800.0
# With fsync: what is lost here is lost in earnest.
SERVER_OPTIONS = ("listen_addresses=", "max_connections=60")


@dataclass(slots=True)
class Tally:
    """What the played gateways saw."""

    created: int = 0
    repeats: int = 0
    failures: int = 0
    # Nobody goes on asking a platform that has ended.
    is_over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


@pytest.fixture
def server(postgresql_programs: Path) -> Iterator[PostgresqlServer]:
    """A server of this test's own, with fsync."""
    with run_server(postgresql_programs, SERVER_OPTIONS) as started:
        started.create_database("books")
        yield started


async def plant(url: str) -> tuple[Books, list[Secret]]:
    """Plant books, and give each gateway a secret."""
    storage = open_postgresql(url, SystemClock())
    try:
        books = await plant_books(storage)
        secrets = [Secret(f"mk-keisan-gateway-{number}") for number in range(len(books.gateway_ids))]
        async with storage.write() as transaction:
            for gateway_id, secret in zip(books.gateway_ids, secrets, strict=True):
                machine = await transaction.machines.get(PlatformScope(), gateway_id)
                named = replace(machine, digest=digest_secret(secret), version=machine.version + 1)
                await transaction.machines.update(named)
    finally:
        await storage.close()
    return books, secrets


async def audit(url: str) -> tuple[int, Audit]:
    """Count and audit what is stored."""
    storage = open_postgresql(url, SystemClock())
    try:
        async with storage.read() as view:
            return await view.usage.count(PlatformScope()), await audit_ledger(view, lambda _: None)
    finally:
        await storage.close()


def hand_in(platform: Platform, secret: Secret, bodies: Iterator[bytes], tally: Tally, source: random.Random) -> None:
    """Hand in batches in order, each until it is answered."""
    headers = {"authorization": f"Bearer {secret.reveal()}", "content-type": USAGE_BATCH_TYPE}
    for body in bodies:
        is_answered = False
        while not tally.is_over and (not is_answered or source.random() < REPEAT_SHARE):
            try:
                answer = httpx.post(
                    f"{platform.url}/api/v1/gateway/usage", content=body, headers=headers, timeout=60, trust_env=False
                )
                told = answer.json() if answer.status_code == 200 else None
            except (httpx.HTTPError, httpx.InvalidURL, ValueError):
                told = None
            with tally.lock:
                if told is None:
                    tally.failures += 1
                else:
                    assert {line["outcome"] for line in told["answers"]} <= {"exists"}, told["answers"][:3]
                    tally.created += told["created_count"]
                    tally.repeats += len(told["answers"])
            is_answered = is_answered or told is not None
            if told is None:
                let_time_pass(0.1)


def kill_in_turn(server: PostgresqlServer, platform: Platform, tally: Tally, source: random.Random) -> None:
    """Kill one or both, at moments spread over the work."""
    for number in range(KILLS):
        due = (number + source.random()) * RECORDS / (KILLS + 1)
        wait_for_work(platform, lambda due=due: tally.created >= due, "records are posted")  # type: ignore[misc]  # bound here
        let_time_pass(source.random() * 0.2)
        if number % 3 != 1:
            server.kill()
        if number % 3 != 0:
            platform.kill()
        if number % 3 != 1:
            server.start()
        if number % 3 != 0:
            platform.start()


def wait_for_work(platform: Platform, is_done: Callable[[], bool], what: str) -> None:
    """Wait until it is done; raises AssertionError if the platform has ended by itself."""

    def is_met() -> bool:
        platform.check()
        return is_done()

    wait_until(is_met, what, WORK_S_MAX)


def test_each_record_is_posted_once(
    server: PostgresqlServer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = int(os.environ.get("KEISAN_TEST_SEED", str(random.randrange(2**32))))
    source, url = random.Random(seed), server.format_url("books")
    books, secrets = asyncio.run(plant(url))
    platform, tally = Platform(prepare_data(tmp_path, url)), Tally()
    platform.start()
    batches = RECORDS // BATCH_RECORDS // len(secrets)
    try:
        with ThreadPoolExecutor(len(secrets)) as pool:
            work = [
                pool.submit(
                    hand_in,
                    platform,
                    secret,
                    write_batches(books, gateway_id, batches, BATCH_RECORDS),
                    tally,
                    random.Random(seed + place),
                )
                for place, (gateway_id, secret) in enumerate(zip(books.gateway_ids, secrets, strict=True))
            ]
            try:
                # Here, since PostgreSQL ends with the thread that started it.
                kill_in_turn(server, platform, tally, source)
                wait_for_work(platform, lambda: all(each.done() for each in work), "all is handed in")
            finally:
                tally.is_over = True
            for each in work:
                each.result()
    finally:
        platform.kill()
    stored, audited = asyncio.run(audit(url))
    told = f"seed {seed}: {tally.created} told created, {tally.repeats} repeats, {tally.failures} unanswered"
    record_property("ledger", f"{stored} stored, {KILLS} kills; {told}")
    assert stored == batches * len(secrets) * BATCH_RECORDS, told
    assert audited.difference is None, (audited.difference, told)
    # What was committed and not told, because the platform died in between, came back as a repeat.
    assert tally.created <= stored, told
