"""A collector of spans for tests: takes OTLP in JSON, checks its encoding, and keeps what it got."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.deadline import wait_until_async
from tests.gateway.small_platform import Reply, Request, SmallPlatform, run_platform

EXPORT_S_MAX = 20.0
TRACES_PATH = "/v1/traces"
TRACE_ID, SPAN_ID, NUMBER = (re.compile(form) for form in (r"[0-9a-f]{32}", r"[0-9a-f]{16}", r"[0-9]+"))
SPAN_KEYS = {
    "traceId",
    "spanId",
    "parentSpanId",
    "flags",
    "name",
    "kind",
    "startTimeUnixNano",
    "endTimeUnixNano",
    "attributes",
    "status",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A span as the collector understood it."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: dict[str, str]


@dataclass(slots=True)
class Collector:
    """`bodies` as they came, `spans` as they were read; `is_away` True answers 503."""

    server: SmallPlatform
    bodies: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    is_away: bool = False

    @property
    def url(self) -> str:
        """Return the address that a gateway is told."""
        return self.server.url

    def answer(self, request: Request) -> Reply:
        """Take one export."""
        if self.is_away:
            return 503, {}
        assert (request.method, request.path) == ("POST", TRACES_PATH)
        assert request.headers["content-type"] == "application/json"
        self.bodies.append(request.body)
        self.spans += read_export(json.loads(request.body))
        return 200, {}

    async def wait_for_call(self, trace_id: str) -> list[Span]:
        """Return the two spans of a call with one attempt when they have come."""
        await wait_until_async(
            lambda: len(self.find_trace(trace_id)) >= 2, f"the spans of {trace_id} are here", EXPORT_S_MAX
        )
        spans = self.find_trace(trace_id)
        assert len(spans) == 2, spans
        return spans

    def find_trace(self, trace_id: str) -> list[Span]:
        """Return the spans of one trace, by their start."""
        found = [span for span in self.spans if span.trace_id == trace_id]
        return sorted(found, key=lambda span: (span.start_ns, span.kind))


def read_export(body: dict[str, Any]) -> list[Span]:
    """Return the spans of an ExportTraceServiceRequest; raises AssertionError where it is not encoded as OTLP demands."""
    assert set(body) == {"resourceSpans"}
    spans = []
    for resource in body["resourceSpans"]:
        service = read_attributes(resource["resource"]["attributes"])
        assert service["service.name"] == "keisan-gateway"
        for scope in resource["scopeSpans"]:
            assert scope["scope"]["name"] == "keisan.relay"
            spans += [read_span(span) for span in scope["spans"]]
    return spans


def read_span(span: dict[str, Any]) -> Span:
    """Return one span; raises AssertionError where it is not encoded as OTLP demands."""
    assert set(span) <= SPAN_KEYS, span
    assert TRACE_ID.fullmatch(span["traceId"]), span
    assert SPAN_ID.fullmatch(span["spanId"]), span
    parent_id = span.get("parentSpanId", "")
    assert parent_id == "" or SPAN_ID.fullmatch(parent_id), span
    assert NUMBER.fullmatch(span["startTimeUnixNano"]), "64 bits are a text"
    assert NUMBER.fullmatch(span["endTimeUnixNano"]), "64 bits are a text"
    assert isinstance(span["kind"], int), "an enumeration is a number"
    assert span.get("status", {"code": 2}) == {"code": 2}, span
    times = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    attributes = read_attributes(span["attributes"])
    return Span(span["traceId"], span["spanId"], parent_id, span["name"], span["kind"], *times, attributes)


def read_attributes(attributes: list[dict[str, Any]]) -> dict[str, str]:
    """Return attributes by name, numbers as their text."""
    found: dict[str, str] = {}
    for attribute in attributes:
        ((form, value),) = attribute["value"].items()
        assert form in {"stringValue", "intValue"}, attribute
        assert isinstance(value, str), attribute
        assert form != "intValue" or NUMBER.fullmatch(value), attribute
        found[attribute["key"]] = value
    assert len(found) == len(attributes), "a name stands once"
    return found


@asynccontextmanager
async def run_collector() -> AsyncIterator[Collector]:
    """Run a collector on a free port of this host."""
    async with run_platform() as server:
        collector = Collector(server)
        server.handler = collector.answer
        yield collector
