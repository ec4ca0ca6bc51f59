"""The gateway answers for as long as the platform is stopped, and one restarted meanwhile serves from its own disk."""

import signal
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.deadline import wait_until
from tests.e2e.ledger import ask, assert_balanced, assert_equal_usage, list_records, wait_for_upload
from tests.e2e.stack import Stack, run_stack

pytestmark = [pytest.mark.e2e, pytest.mark.waits]


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """A platform of this test alone."""
    with run_stack() as running:
        yield running


def freeze_platform(stack: Stack) -> psutil.Process:
    """Stop the platform's process where it is, so that it neither answers nor is restarted."""
    process = stack.find_process("platform")
    assert process is not None
    process.suspend()
    return process


def test_gateway_serves_without_the_platform_and_after_its_own_restart(own_stack: Stack) -> None:
    stack = own_stack
    platform = freeze_platform(stack)
    with httpx.Client(
        base_url=stack.gateway_url, headers={"authorization": f"Bearer {stack.api_key}"}, timeout=60, trust_env=False
    ) as client:
        told = [ask(client, is_stream=False, prompt="Say one."), ask(client, is_stream=True, prompt="Say two.")]
        gateway = stack.find_process("gateway")
        assert gateway is not None
        gateway.send_signal(signal.SIGKILL)
        wait_until(lambda: has_restarted(stack, gateway.pid), "the gateway serves again from its snapshot", 30.0)
        told += [ask(client, is_stream=False, prompt="Say three."), ask(client, is_stream=True, prompt="Say four.")]
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{stack.platform_url}/healthz", timeout=1)
    platform.resume()
    wait_for_upload(stack)
    records = list_records(stack)
    for call in told:
        assert_equal_usage(call, records[call.record_id])
    assert_balanced(stack, records)


def has_restarted(stack: Stack, old_pid: int) -> bool:
    """Tell whether another gateway process than the killed one answers."""
    process = stack.find_process("gateway")
    try:
        is_up = httpx.get(f"{stack.gateway_url}/healthz", timeout=1).is_success
    except httpx.HTTPError:
        return False
    return is_up and process is not None and process.pid != old_pid


def test_engine_that_dies_mid_stream_ends_the_stream_with_a_typed_event(own_stack: Stack) -> None:
    stack = own_stack
    body = {
        "model": "smollm2-135m-instruct",
        "messages": [{"role": "user", "content": "Write a very long story."}],
        "max_tokens": 900,
        "temperature": 0,
        "stream": True,
    }
    engine = stack.find_process("engine")
    assert engine is not None
    headers = {"authorization": f"Bearer {stack.api_key}"}
    lines: list[str] = []
    with httpx.Client(base_url=stack.gateway_url, headers=headers, timeout=60, trust_env=False) as client:
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            for line in filter(None, answer.iter_lines()):
                lines.append(line)
                if len(lines) == 8:
                    engine.send_signal(signal.SIGKILL)
        record_id = answer.headers["keisan-record-id"]
    assert '"code":"engine_lost"' in lines[-1].replace(" ", "")
    assert "[DONE]" not in "".join(lines)
    wait_until(lambda: record_id in list_records(stack), "the cut call's record arrives", 15.0)
    record = list_records(stack)[record_id]
    assert (record["outcome"], record["usage_source"]) == ("engine_cut", "engine_running")
    assert record["quantities"]["output"] >= 5
    assert_balanced(stack, list_records(stack))
    wait_until(lambda: is_serving(stack), "the agent has restarted the engine", 60.0)


def is_serving(stack: Stack) -> bool:
    """Tell whether a call completes."""
    headers = {"authorization": f"Bearer {stack.api_key}"}
    try:
        with httpx.Client(base_url=stack.gateway_url, headers=headers, timeout=30, trust_env=False) as client:
            ask(client, is_stream=False, prompt="Hello.")
    except httpx.HTTPError:
        return False
    return True
