"""The edge: an answer for everything, an id for every request, no internals, whatever is sent."""

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from keisan.api.context import ApiContext
from keisan.api.edge import Edge
from keisan.control.snapshot import SnapshotFeed
from keisan.control.telemetry import FleetWatch
from keisan.wire.csv_file import CSV_TYPE
from keisan.wire.usage import USAGE_BATCH_TYPE
from tests.api.stage import Stage, find_bytes_type
from tests.api.test_app import build_bodies, list_operations

NASTY: tuple[object, ...] = (
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "\x00",
    "\ud800",
    "x" * 5000,
    "2026-11-23T00:00:00Z",
    [],
    {},
    [None],
)


# What does not end is no answer: a stream that takes any of these would go on for ever.
ANSWER_S_MAX = 30


def walk_mutations(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every field and item of a JSON value."""
    steps: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for step, inner in steps:
        yield (*path, step)
        yield from walk_mutations(inner, (*path, step))


def replace_at(body: Any, path: tuple[str | int, ...], value: object) -> Any:
    changed = copy.deepcopy(body)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return changed


def choose_asker(name: str) -> str:
    return {
        "report_site": "site",
        "put_inventory": "site",
        "hand_in_frame": "site",
        "hand_in_usage": "gateway",
        "fetch_snapshot": "gateway",
    }.get(name, "admin")


def walk_tables(table: object) -> Iterator[bytes]:
    """Yield a table with each of its cells made nasty, also as it stands in no file of ours."""
    assert isinstance(table, bytes)
    names, cells = (line.split(b",") for line in table.splitlines())
    nasty = [b"\xff", b"\0", b'"', b"0001-01-01T00:00:00+09:00", b"9999-12-31T23:59:59-09:00", b"a" * 200_000]
    nasty += [str(value).encode(errors="replace") for value in NASTY]
    for place in range(len(cells)):
        for value in nasty:
            yield b",".join(names) + b"\n" + b",".join([*cells[:place], value, *cells[place + 1 :]]) + b"\n"
            yield b",".join([*names[:place], value, *names[place + 1 :]]) + b"\n" + b",".join(cells) + b"\n"


def walk_arrow(body: object) -> Iterator[bytes]:
    """Yield an Arrow stream broken off, and with bytes of its messages changed."""
    assert isinstance(body, bytes)
    for position in range(0, len(body), 41):
        yield body[:position]
        for value in (0, 0x7F, 0xFF):
            yield body[:position] + bytes([value]) + body[position + 1 :]


async def test_no_body_makes_the_platform_fail(any_stage: Stage) -> None:
    tried = 0
    bodies = build_bodies(any_stage)
    for operation in [line for line in await list_operations(any_stage) if line.has_body]:
        path = "/api/v1" + any_stage.fill_path(operation.path)
        headers = {
            "authorization": f"Bearer {any_stage.secrets[choose_asker(operation.name)]}",
            "content-type": "application/json",
            "if-match": '"1"',
        }
        body = bodies[operation.name]
        if isinstance(body, bytes) and (kind := find_bytes_type(path)) != USAGE_BATCH_TYPE:
            for damaged in walk_tables(body) if kind == CSV_TYPE else walk_arrow(body):
                answer = await any_stage.http.request(
                    operation.method, path, content=damaged, headers=headers | {"content-type": kind}
                )
                assert answer.status_code < 500, (operation.name, damaged, answer.text)
                tried += 1
            continue
        if isinstance(body, bytes):
            body, headers["content-type"] = json.loads(body), USAGE_BATCH_TYPE
        for field in walk_mutations(body):
            for value in NASTY:
                content = json.dumps(replace_at(body, field, value))
                answer = await any_stage.http.request(operation.method, path, content=content, headers=headers)
                assert answer.status_code < 500, (operation.name, field, value, answer.text)
                tried += 1
    assert tried > 500


async def test_no_query_makes_the_platform_fail(any_stage: Stage) -> None:
    document = (await any_stage.http.get("/api/v1/openapi.json")).json()
    tried = 0
    for path, operations in document["paths"].items():
        operation = operations.get("get", {})
        for parameter in operation.get("parameters", ()):
            for value in ("", "-1", "1e400", "\x00", str(2**70), "9" * 400, "NaN", "0001-01-01", "ÿ", "AQ"):
                filled = any_stage.fill_path(path)
                query = {}
                if parameter["in"] == "query":
                    query = {parameter["name"]: value}
                elif parameter["in"] == "path" and value:
                    filled = path.replace("{" + parameter["name"] + "}", value.replace("\x00", "%00"))
                headers = {"authorization": f"Bearer {any_stage.secrets[choose_asker(operation['operationId'])]}"}
                async with asyncio.timeout(ANSWER_S_MAX):
                    answer = await any_stage.http.get(filled, params=query, headers=headers)
                assert answer.status_code < 500, (path, parameter["name"], value, answer.text)
                tried += 1
    assert tried > 200


async def test_unexpected_fault_is_answered_without_internals(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise RuntimeError("/srv/secret/path")

    monkeypatch.setattr(stage.storage, "check", fail)
    answer = await stage.http.get("/healthz")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "/srv/secret/path" in caplog.text
    assert answer.headers["x-request-id"] in answer.json()["instance"]


async def test_request_id_is_kept_if_harmless(stage: Stage) -> None:
    kept = await stage.http.get("/healthz", headers={"x-request-id": "trace-1"})
    assert kept.headers["x-request-id"] == "trace-1"
    replaced = await stage.http.get("/healthz", headers={"x-request-id": 'evil"\t{}'})
    assert "evil" not in replaced.headers["x-request-id"]


async def test_half_an_answer_is_never_followed_by_another(stage: Stage) -> None:
    sent: list[Message] = []

    async def break_off(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("broken off")

    async def receive() -> Message:
        return {"type": "http.request"}

    async def keep(message: Message) -> None:
        sent.append(message)

    edge = Edge(
        break_off, ApiContext(stage.control, SnapshotFeed(stage.control), FleetWatch(stage.control, {}), "0.1.0")
    )
    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(RuntimeError):
        await edge(scope, receive, keep)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_body_that_breaks_off_is_the_askers_fault(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def keep(message: Message) -> None:
        sent.append(message)

    key = (b"idempotency-key", b"k1")
    for path, who, extra in (
        ("/api/v1/organizations", "admin", []),
        ("/api/v1/organizations", "admin", [key]),
        ("/api/v1/gateway/usage", "gateway", []),
    ):
        headers = [
            (b"authorization", f"Bearer {stage.secrets[who]}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"9"),
            *extra,
        ]
        scope: Scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
        await stage.app(scope, receive, keep)
    assert [message["status"] for message in sent if message["type"] == "http.response.start"] == [400, 400, 400]
    assert "request.failed" not in caplog.text
