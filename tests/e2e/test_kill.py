"""kill -9 of gateway, agent, engine and platform at any moment during 1,000 calls loses and doubles no record.

Moments and victims come from a seed, which is named when the test fails and can be given as KEISAN_TEST_SEED.
"""

import os
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import httpx
import psutil
import pytest

from tests.deadline import let_time_pass, wait_until
from tests.e2e.ledger import Told, ask, assert_balanced, assert_equal_usage, list_records, wait_for_upload
from tests.e2e.stack import Stack, run_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
CALLS = int(os.environ.get("KEISAN_TEST_KILL_CALLS", "1000"))
CLIENTS = 8
VICTIMS = ("gateway", "site", "engine", "platform")
KILLS_EACH = 3
# Behind the call whose completion it waits for, so that a kill meets others at any point.
DELAY_S_MAX = 0.5
# All four may be down at once, on a host that is busy with other things; the pace of the calls is theirs.
RECOVERY_S_MAX = 300.0
# To look through all processes costs what the calls need.
LOOK_S = 0.25


@dataclass(slots=True)
class Tally:
    """What the clients saw; `failures` are calls that did not complete, which is allowed."""

    told: list[Told] = field(default_factory=list)
    failures: int = 0
    is_killing: bool = True
    is_broken: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def has_completed(self, count: int) -> bool:
        return self.is_broken or len(self.told) >= count

    def is_done(self) -> bool:
        """Tell whether enough calls have completed and nobody is killed any more, or the test has failed already."""
        return self.is_broken or (len(self.told) >= CALLS and not self.is_killing)


def run_client(stack: Stack, tally: Tally, seed: int) -> None:
    """Make calls until the tally is done; a refused or cut call is tried again as a new call."""
    source = random.Random(seed)
    headers = {"authorization": f"Bearer {stack.api_key}"}
    with httpx.Client(base_url=stack.gateway_url, headers=headers, timeout=60, trust_env=False) as client:
        while not tally.is_done():
            prompt = f"Say the number {source.randrange(1000)}."
            try:
                told = ask(client, is_stream=source.random() < 0.5, prompt=prompt)
            except httpx.HTTPError:
                with tally.lock:
                    tally.failures += 1
                let_time_pass(0.05)
                continue
            with tally.lock:
                tally.told.append(told)


def kill_one(stack: Stack, name: str) -> bool:
    """Send SIGKILL to a process of the platform; False, after a while, if it is not there just now."""
    process = stack.find_process(name)
    if process is None:
        let_time_pass(LOOK_S)
        return False
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


def run_killer(stack: Stack, tally: Tally, source: random.Random) -> None:
    """Kill each victim equally often, in any order, at random moments of the calls' progress, however fast that is."""
    victims = [name for name in VICTIMS for _ in range(KILLS_EACH)]
    source.shuffle(victims)
    moments = sorted(source.randrange(CALLS) for _ in victims)
    try:
        for moment, name in zip(moments, victims, strict=True):
            wait_until(partial(tally.has_completed, moment), "calls complete", RECOVERY_S_MAX)
            if tally.is_broken:
                return
            let_time_pass(source.uniform(0.0, DELAY_S_MAX))
            wait_until(partial(kill_one, stack, name), f"there is a process to kill: {name}", RECOVERY_S_MAX)
    except BaseException:
        tally.is_broken = True
        raise
    tally.is_killing = False


def test_nothing_is_lost_or_doubled_under_kill_nine(record_property: Callable[[str, object], None]) -> None:
    seed = int(os.environ.get("KEISAN_TEST_SEED", random.SystemRandom().randrange(2**32)))
    source, tally = random.Random(seed), Tally()
    with run_stack() as stack, ThreadPoolExecutor(CLIENTS + 1) as pool:
        clients = [pool.submit(run_client, stack, tally, source.randrange(2**32)) for _ in range(CLIENTS)]
        killer = pool.submit(run_killer, stack, tally, source)
        try:
            for future in (killer, *clients):
                future.result()
        finally:
            tally.is_broken = not tally.is_done()
        wait_until(lambda: is_answering(stack), "the platform is whole again", 60.0)
        wait_for_upload(stack, 60.0)
        records = list_records(stack)
        kills = KILLS_EACH * len(VICTIMS)
        context = f"seed {seed}, {kills} kills, {len(tally.told)} completed, {tally.failures} not completed"
        record_property("outcome", context)
        lost = [call.record_id for call in tally.told if call.record_id not in records]
        assert not lost, f"{len(lost)} records lost: {context}"
        for call in tally.told:
            assert_equal_usage(call, records[call.record_id])
        assert len({call.record_id for call in tally.told}) == len(tally.told), context
        assert len(records) <= len(tally.told) + tally.failures, f"more records than calls: {context}"
        assert_balanced(stack, records)


def is_answering(stack: Stack) -> bool:
    """Tell whether platform and gateway answer."""
    try:
        return (
            httpx.get(f"{stack.platform_url}/healthz").is_success
            and httpx.get(f"{stack.gateway_url}/healthz").is_success
        )
    except httpx.HTTPError:
        return False
