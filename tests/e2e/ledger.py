"""What the platform's ledger says, read through the public API, and what a client was told, side by side."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.deadline import wait_until
from tests.e2e.stack import MODEL, Stack


@dataclass(frozen=True, slots=True)
class Told:
    """What a completed call told its client: the record's id, and the engine's own usage block, None if it hid."""

    record_id: str
    usage: Mapping[str, Any] | None


def list_items(api: httpx.Client, path: str, **query: str) -> Iterator[dict[str, Any]]:
    """Yield all items of a list, page by page."""
    cursor: str | None = None
    while True:
        page = api.get(path, params={"limit": "500", **query} | ({"cursor": cursor} if cursor else {}))
        assert page.status_code == 200, page.text
        yield from page.json()["items"]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return


def list_records(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return all usage records by id; raises AssertionError if an id comes twice."""
    today = datetime.now(UTC).date()
    days = {"since": str(today - timedelta(days=1)), "until": str(today + timedelta(days=1))}
    records: dict[str, dict[str, Any]] = {}
    for record in list_items(stack.open_api(), "/api/v1/usage", **days):
        assert record["id"] not in records, f"{record['id']} is listed twice"
        records[record["id"]] = record
    return records


def wait_for_upload(stack: Stack, deadline_s: float = 30.0) -> None:
    """Wait until the gateway's spool has been uploaded and acknowledged to its end."""

    def is_uploaded() -> bool:
        try:
            health = httpx.get(f"{stack.gateway_url}/healthz", timeout=5).json()
        except httpx.HTTPError:
            return False
        spool = health["spool"]
        return bool(health["open_calls"] == 0 and spool["backlog_records"] == 0)

    wait_until(is_uploaded, "the spool is uploaded", deadline_s)


def ask(client: httpx.Client, *, is_stream: bool, prompt: str, max_tokens: int = 4) -> Told:
    """Make one call to its last byte and return what was told; raises httpx.HTTPError if it did not complete.

    A stream is complete with its "[DONE]".
    """
    body: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
    }
    if not is_stream:
        answer = client.post("/v1/chat/completions", json=body)
        answer.raise_for_status()
        return Told(answer.headers["keisan-record-id"], answer.json()["usage"])
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        answer.raise_for_status()
        lines = [line for line in answer.iter_lines() if line]
    if lines[-1] != "data: [DONE]":
        raise httpx.RemoteProtocolError(f"the stream was cut after {lines[-1:]}")
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    return Told(answer.headers["keisan-record-id"], usages[-1])


def assert_equal_usage(told: Told, record: Mapping[str, Any]) -> None:
    """Assert that a record holds, class by class, what the engine reported to the client."""
    assert told.usage is not None
    cached = (told.usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    expected = {
        "input": told.usage["prompt_tokens"] - cached,
        "input_cached": cached,
        "output": told.usage["completion_tokens"],
    }
    found = {name: quantity for name, quantity in record["quantities"].items() if quantity}
    assert found == {name: quantity for name, quantity in expected.items() if quantity}, told.record_id
    assert (record["usage_source"], record["outcome"]) == ("engine", "completed")


def assert_balanced(stack: Stack, records: Mapping[str, Mapping[str, Any]]) -> None:
    """Assert that all balances sum to zero and that the wallets have fallen by exactly what the records say."""
    accounts = list(list_items(stack.open_api(), "/api/v1/accounts"))
    assert sum(int(account["balance_nano"]) for account in accounts) == 0
    spent = sum(int(record["amount_nano"]) for record in records.values())
    wallets = [account for account in accounts if account["kind"] == "wallet"]
    assert sum(int(account["balance_nano"]) for account in wallets) == -spent
