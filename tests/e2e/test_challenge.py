"""A whole platform measures the processor of this machine: real processes, real work, the platform's own time."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.deadline import wait_until
from tests.e2e.stack import Stack, run_stack

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A platform as a person starts it, whose one node serves a model."""
    with run_stack() as stack:
        yield stack


def challenge(stack: Stack, **changes: object) -> dict[str, Any]:
    """Challenge the processor and return what was judged."""
    api = stack.open_api()
    [site] = api.get("/api/v1/sites").json()["items"]
    body = {"site_id": site["id"], "may_disturb": True} | changes
    started = api.post("/api/v1/challenges", json=body)
    assert started.status_code == 201, started.text
    [challenge_id] = [each["id"] for each in started.json()["challenges"]]
    path = f"/api/v1/challenges/{challenge_id}"
    wait_until(lambda: api.get(path).json()["state"] == "judged", "it is judged", 240.0)
    judged: dict[str, Any] = api.get(path).json()
    return judged


@pytest.mark.parametrize("workload", ["fp32", "fp64", "memory"])
def test_processor_is_measured_stored_and_shown_beside_its_claim(stack: Stack, workload: str) -> None:
    judged = challenge(stack, workload=workload, claim_per_s=10**8)
    # Any machine that runs tests does more than a tenth of a billion a second, and less than what no processor does.
    assert judged["verdict"] == "ok"
    # A platform that pauses for half a second counts that as the device's time: then what was told is shorter than what passed.
    flags = set(judged["flags"])
    assert "above_claim" in flags
    assert flags <= {"above_claim", "told_shorter"}
    assert 10**8 < judged["rate_per_s"] < 10**14
    assert (judged["claim_per_s"], judged["chip"][:4]) == (10**8, "cpu-")
    verified = stack.open_api().get("/api/v1/challenges/verified").json()["items"]
    [line] = [line for line in verified if line["workload"] == workload]
    assert (line["verified_count"], line["device_count"]) == (1, 1)
    assert line["rate_mega_per_s"] == judged["rate_per_s"] // 10**6


def test_claim_beyond_the_processor_is_disproved(stack: Stack) -> None:
    judged = challenge(stack, workload="fp64", claim_per_s=10**13)
    # What it claims to do in a second it does not do in the thirty that it is given, or does in ten of them.
    assert judged["verdict"] == "failed"
    assert judged["flags"] in (["below_claim"], ["no_answer"])
    assert (judged["rate_per_s"] or 0) < 10**13 / 2


def test_serving_node_is_not_disturbed_unasked(stack: Stack) -> None:
    api = stack.open_api()
    [site] = api.get("/api/v1/sites").json()["items"]
    answer = api.post("/api/v1/challenges", json={"site_id": site["id"]})
    assert answer.status_code == 409
    assert "runs replicas" in answer.json()["detail"]
