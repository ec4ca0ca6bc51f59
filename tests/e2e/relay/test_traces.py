"""A trace from a client through a real gateway process to its engine, as a real collector sees it."""

from dataclasses import dataclass, field

import pytest

from tests.deadline import wait_until_async
from tests.e2e.relay.client import KeepAliveClient, build_request
from tests.e2e.relay.collector import Span, run_collector
from tests.e2e.relay.engine import Asked
from tests.e2e.relay.stage import Setting, Stage, answer_plainly, run_stage

pytestmark = pytest.mark.e2e
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER_ID = "00f067aa0ba902b7"
SERVER, CLIENT = 2, 3


@dataclass(slots=True)
class Engine:
    """An engine that keeps what it was told of the trace of each call."""

    told: dict[int, dict[str, str]] = field(default_factory=dict)

    async def answer(self, asked: Asked) -> None:
        """Answer as usual."""
        self.told[asked.number] = asked.headers
        await answer_plainly(asked)


async def call(stage: Stage, number: int, traceparent: str, *, is_stream: bool = False) -> str:
    """Make a call of a trace and return its record's id."""
    request = build_request(number, is_stream=is_stream)
    header = f"\r\ntraceparent: {traceparent}\r\ntracestate: vendor=1".encode()
    client = KeepAliveClient(stage.gateway.address)
    try:
        answer = await client.call(request.replace(b"\r\ncontent-length", header + b"\r\ncontent-length", 1))
    finally:
        client.close()
    assert answer.status == 200, answer
    return answer.record_id


def check_family(spans: list[Span], told: dict[str, str]) -> tuple[Span, Span]:
    """Assert who is whose child, and return the spans of the call and of its attempt."""
    served, attempt = spans
    assert (served.kind, attempt.kind) == (SERVER, CLIENT)
    assert attempt.parent_id == served.span_id
    assert told["traceparent"] == f"00-{attempt.trace_id}-{attempt.span_id}-01"
    assert served.start_ns <= attempt.start_ns <= attempt.end_ns <= served.end_ns
    return served, attempt


async def test_trace_leads_from_the_client_to_the_engine() -> None:
    engine = Engine()
    async with run_collector() as collector:
        setting = Setting(script=engine.answer, more={"otlp_url": collector.url, "trace_sample_ppm": "0"})
        async with run_stage(setting) as stage:
            for number, is_stream in enumerate((False, True)):
                trace_id = TRACE_ID[:-1] + str(number)
                record_id = await call(stage, number, f"00-{trace_id}-{CALLER_ID}-01", is_stream=is_stream)
                served, attempt = check_family(await collector.wait_for_call(trace_id), engine.told[number])
                assert served.parent_id == CALLER_ID
                assert engine.told[number]["tracestate"] == "vendor=1"
                record = await stage.wait_for_record(record_id)
                assert served.attributes["keisan.record_id"] == record_id
                assert served.attributes["gen_ai.usage.output_tokens"] == str(record["quantities"]["output"])
                assert attempt.attributes["keisan.replica_id"] == record["replica_id"]
            unsampled = f"00-{TRACE_ID}-{CALLER_ID}-00"
            await call(stage, 7, unsampled)
            assert engine.told[7]["traceparent"].startswith(f"00-{TRACE_ID}-")
            assert engine.told[7]["traceparent"].endswith("-00")
            assert await stage.gateway.stop() == 0
    assert not collector.find_trace(TRACE_ID), "nobody asked for this one"


async def test_spans_wait_for_a_collector_that_is_away_and_the_last_ones_leave_at_the_end() -> None:
    engine = Engine()
    async with run_collector() as collector:
        collector.is_away = True
        setting = Setting(script=engine.answer, more={"otlp_url": collector.url, "trace_sample_ppm": "1000000"})
        async with run_stage(setting) as stage:
            first = (await stage.call(1)).record_id.replace("-", "")
            await wait_until_async(lambda: "traces.not_exported" in stage.gateway.read_log(), "one try failed", 20.0)
            collector.is_away = False
            served, _ = check_family(await collector.wait_for_call(first), engine.told[1])
            assert served.parent_id == "", "a trace that begins here has no parent, and its record's id"
            last = (await stage.call(2)).record_id.replace("-", "")
            assert await stage.gateway.stop() == 0
            assert len(collector.find_trace(last)) == 2


async def test_without_a_collector_the_trace_is_passed_on_as_it_came() -> None:
    engine = Engine()
    async with run_stage(Setting(script=engine.answer)) as stage:
        traceparent = f"00-{TRACE_ID}-{CALLER_ID}-01"
        await call(stage, 1, traceparent)
        assert (engine.told[1]["traceparent"], engine.told[1]["tracestate"]) == (traceparent, "vendor=1")
