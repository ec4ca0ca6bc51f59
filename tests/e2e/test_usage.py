"""The ledger holds what the engine reported, call by call; what the engine could not say is counted apart."""

import httpx
import pytest

from tests.deadline import wait_until
from tests.e2e.ledger import ask, assert_balanced, assert_equal_usage, list_records, wait_for_upload
from tests.e2e.stack import MODEL, Stack

# The first test may start the platform.
pytestmark = pytest.mark.e2e
# The published price of the packaged model: nano-units per 1,000,000 tokens (catalog/data/models).


def open_gateway(stack: Stack) -> httpx.Client:
    """Return a client of the gateway with the first key."""
    return httpx.Client(
        base_url=stack.gateway_url, headers={"authorization": f"Bearer {stack.api_key}"}, timeout=60, trust_env=False
    )


def test_ledger_equals_what_the_engine_reported(stack: Stack) -> None:
    with open_gateway(stack) as client:
        told = [ask(client, is_stream=number % 2 == 0, prompt=f"Count to {number}.") for number in range(12)]
    wait_for_upload(stack)
    records = list_records(stack)
    for call in told:
        assert_equal_usage(call, records[call.record_id])
    assert_balanced(stack, records)


def test_amount_is_quantity_times_price(stack: Stack) -> None:
    with open_gateway(stack) as client:
        told = ask(client, is_stream=False, prompt="Say hello.")
    wait_for_upload(stack)
    record = list_records(stack)[told.record_id]
    price = stack.open_api().get(f"/api/v1/prices/{record['price_id']}").json()
    nano = {name: int(text) for name, text in price["nano_per_million"].items()}
    total = sum(quantity * nano[name] for name, quantity in record["quantities"].items() if quantity)
    assert int(record["amount_nano"]) == round(total / 1_000_000), "small enough that a float is exact"
    assert int(record["amount_nano"]) > 0


def test_client_that_leaves_is_billed_what_had_run(stack: Stack) -> None:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Write a long story about the sea."}],
        "max_tokens": 400,
        "temperature": 0,
        "stream": True,
    }
    with open_gateway(stack) as client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
        events = 0
        for line in answer.iter_lines():
            events += line.startswith("data: ")
            if events == 10:
                break
        record_id = answer.headers["keisan-record-id"]
    wait_until(lambda: record_id in list_records(stack), "the cut call's record arrives", 15.0)
    record = list_records(stack)[record_id]
    assert (record["outcome"], record["usage_source"]) == ("client_closed", "engine_running")
    assert 5 <= record["quantities"]["output"] < 400


def test_summary_counts_sources_apart(stack: Stack) -> None:
    wait_for_upload(stack)
    summary = stack.open_api().get("/api/v1/usage/summary").json()
    records = list_records(stack).values()
    for line in summary["lines"]:
        same = [record for record in records if record["usage_source"] == line["usage_source"]]
        assert line["call_count"] == len(same)
        assert int(line["amount_nano"]) == sum(int(record["amount_nano"]) for record in same)
    assert {line["usage_source"] for line in summary["lines"]} == {record["usage_source"] for record in records}
