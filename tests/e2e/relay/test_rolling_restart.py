"""Gateways that replace one another on one address: none of thousands of calls fails, whatever connection it uses."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.relay.client import KeepAliveClient, build_request
from tests.e2e.relay.engine import END, LAST_CHUNK, STREAM_HEAD, Asked, build_answer, build_usage_event, wrap_chunk
from tests.e2e.relay.gateway import GatewayFolder, start_gateway
from tests.e2e.relay.stage import Setting, Stage, run_stage

pytestmark = pytest.mark.e2e
RESTARTS = 3
CALLS_MIN = 2_000
KEEPING, FRESH, LONG = 4, 4, 2
LONG_TOKENS, LONG_PAUSE_S = 20, 0.1
LONG_NUMBER = 500_000
# A client that stands still for longer finds its connection closed when it calls.
LIMITS = {"drain_idle_timeout_s": 5}


@dataclass(slots=True)
class Tally:
    """What the clients saw; there is no call that may fail."""

    record_ids: list[str] = field(default_factory=list)
    is_over: bool = False


async def speak(asked: Asked) -> None:
    """Answer at once, or stream for seconds if the call is a long one."""
    if asked.number < LONG_NUMBER:
        await asked.answer(build_answer(2), 2)
        return
    await asked.send(STREAM_HEAD)
    for position in range(1, LONG_TOKENS + 1):
        await asked.send_token(position)
        await let_time_pass_async(LONG_PAUSE_S)
    await asked.send(wrap_chunk(build_usage_event(LONG_TOKENS)) + wrap_chunk(END) + LAST_CHUNK)


async def run_client(stage: Stage, tally: Tally, number: int, *, is_keeping: bool) -> None:
    """Call until it is over, on one connection for as long as it is kept, or on a new one each time."""
    client = KeepAliveClient(stage.gateway.address)
    while not tally.is_over:
        answer = await client.call(build_request(number, is_stream=number >= LONG_NUMBER))
        assert (answer.status, answer.code) == (200, None), answer
        tally.record_ids.append(answer.record_id)
        if not is_keeping:
            client.close()
    client.close()


async def replace_gateway(stage: Stage, folder: GatewayFolder) -> None:
    """Start another gateway beside the one that runs, and only then end that one."""
    elder, stage.gateway = stage.gateway, await start_gateway(folder)
    code = await elder.stop()
    assert code == 0, elder.read_log()
    assert '"is_drained": true' in elder.read_log(), elder.read_log()


async def test_no_call_fails_while_gateways_replace_one_another(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    handover = {"handover_path": str(tmp_path / "handover.sock")}
    async with run_stage(Setting(script=speak, limits=LIMITS, more=handover, has_fixed_port=True)) as stage:
        folders = [stage.add_folder("other", UUID(int=0x1B)), stage.folder]
        tally = Tally()
        async with asyncio.TaskGroup() as group:
            for number in range(KEEPING + FRESH):
                group.create_task(run_client(stage, tally, number, is_keeping=number < KEEPING))
            for number in range(LONG):
                group.create_task(run_client(stage, tally, LONG_NUMBER + number, is_keeping=number % 2 == 0))
            for restart in range(RESTARTS):
                await replace_gateway(stage, folders[restart % 2])
            await wait_until_async(lambda: len(tally.record_ids) >= CALLS_MIN, f"{CALLS_MIN} calls", 60.0)
            tally.is_over = True
        record_property("outcome", f"{len(tally.record_ids)} calls over {RESTARTS} restarts, 0 failed")
        await stage.platform.wait_for_records(len(tally.record_ids))
        assert set(stage.platform.records) == set(tally.record_ids)
        outcomes = {record["outcome"] for record in stage.platform.records.values()}
        assert outcomes == {"completed"}
        assert {record["gateway_id"] for record in stage.platform.records.values()} == {
            str(UUID(int=0x1A)),
            str(UUID(int=0x1B)),
        }
