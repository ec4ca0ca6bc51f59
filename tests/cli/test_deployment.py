"""`keisan deploy`: changes that wait until they are so, against a site that is played step by step."""

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from keisan.cli.deployment import find_deployment
from keisan.cli.session import Session
from keisan.domain.deployment import REPLICA_COUNT_MAX, SLOTS_MAX
from keisan.sdk import DeploymentView
from tests.cli.conftest import CommandLine
from tests.deadline import wait_until

MODEL = "smollm2-135m-instruct"


@dataclass
class SmallSite:
    """Reports one node with a CPU and does at once what it is ordered."""

    http: httpx.Client
    agent_id: str
    replicas: dict[str, dict[str, Any]] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.wait(0.05):
            self.report()

    def report(self) -> None:
        body = {
            "agent_id": self.agent_id,
            "nodes": [{"hardware_id": "n1", "hostname": "n1", "boot_id": "b", "cpu_count": 4, "memory_bytes": 2**34}],
            "devices": [
                {
                    "hardware_id": "cpu-n1",
                    "node_hardware_id": "n1",
                    "chip": "cpu-x86-64",
                    "name": "CPU",
                    "memory_bytes": 2**34,
                    "verdict": "ok",
                }
            ],
            "replicas": list(self.replicas.values()),
            "engines": {
                "llama_cpp": {
                    "running_usage": "llama_cpp_timings",
                    "idle_connection_s": 5,
                    "requests_per_connection_max": 100,
                    "is_usage_summed_over_choices": False,
                }
            },
        }
        answer = self.http.post("/site/report", json=body)
        assert answer.is_success, answer.text
        for order in answer.json()["orders"]:
            is_run = order["action"] == "run"
            self.replicas[order["replica_id"]] = {
                "replica_id": order["replica_id"],
                "state": "ready" if is_run else "stopped",
                "endpoint": {"kind": "unix", "path": f"/run/{order['replica_id'][-12:]}.sock"} if is_run else None,
                "model_digest": f"sha256:{order['weights_sha256']}" if is_run else "",
                "slots": order["slots"],
                "log_tail": "loaded the weights\nserving\n" if is_run else "",
            }


@pytest.fixture
def small_site(command_line: CommandLine) -> Iterator[SmallSite]:
    with command_line.open_api() as api:
        site = api.get("/sites").json()["items"][0]
        token = api.post("/machines/tokens", json={"kind": "site", "site_id": site["id"]}).json()["token"]
        secret = "mk-keisan-" + os.urandom(16).hex()
        digest = hashlib.sha256(secret.encode()).hexdigest()
        joined = api.post("/machines/join", json={"token": token, "name": "double", "secret_digest": digest})
        assert joined.is_success, joined.text
    with command_line.open_api(secret) as http:
        site = SmallSite(http, joined.json()["id"])
        thread = threading.Thread(target=site.run)
        thread.start()
        yield site
        site.stop.set()
        thread.join(10)


def read_counts(command_line: CommandLine) -> dict[str, str]:
    """Return "ready/wanted" by deployment id."""
    lines = [line.split() for line in command_line.run("deploy", "list").out.splitlines() if MODEL in line]
    return {words[0]: words[2] for words in lines}


def list_replicas(command_line: CommandLine, deployment: str) -> list[dict[str, Any]]:
    """Return the lines of one deployment: the first start's own is of the same model."""
    replicas: list[dict[str, Any]] = command_line.run("status", "--json").told["replicas"]
    return [line for line in replicas if line["deployment_id"] == deployment]


def read_states(command_line: CommandLine, deployment: str) -> list[str]:
    return [line["state"] for line in list_replicas(command_line, deployment)]


def test_deployments_are_created_scaled_shown_and_deleted(command_line: CommandLine, small_site: SmallSite) -> None:
    made = command_line.run("deploy", "create", MODEL, "--replicas", "3", "--slots", "1", "--json")
    assert made.code == 0, made.aside
    deployment = made.told["id"]
    assert read_counts(command_line)[deployment] == "3/3"

    scaled = command_line.run("deploy", "scale", deployment, "2")
    assert (scaled.code, scaled.out.strip()) == (0, f"{deployment}: 2 ready")

    # Ready with two; the other is still on its way out.
    wait_until(lambda: read_states(command_line, deployment) == ["ready"] * 2, "the surplus copy has stopped")
    # Two copies, because a line "1 of 1 ready" would be that of the first start's own deployment.
    assert f"model     {MODEL}  2 of 2 ready" in command_line.run("status").out
    own = list_replicas(command_line, deployment)[0]
    assert command_line.run("logs", own["id"]).out == "loaded the weights\nserving\n"
    assert command_line.run("logs", own["id"], "--json").told["replica_id"] == own["id"]

    deleted = command_line.run("deploy", "delete", deployment)
    assert (deleted.code, "delet" in deleted.out) == (0, True)
    wait_until(lambda: deployment not in read_counts(command_line), "the deployment is gone")


def test_without_waiting_it_returns_at_once(command_line: CommandLine) -> None:
    made = command_line.run("deploy", "create", MODEL, "--no-wait")
    assert (made.code, made.out.strip().endswith("1 wanted")) == (0, True)
    deployment = made.out.partition(":")[0]
    # The first start's own deployment is of the same model, so the name alone says too little.
    by_name = command_line.run("deploy", "scale", MODEL, "0")
    assert (by_name.code, deployment in by_name.aside) == (5, True)
    assert command_line.run("deploy", "delete", deployment).code == 0


def test_what_the_platform_writes_in_between_is_no_fault(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = command_line.run("deploy", "create", MODEL, "--no-wait", "--json").told["id"]
    seen = []

    async def find_late(session: Session, wanted: str) -> DeploymentView:
        seen.append(await find_deployment(session, wanted))
        is_stale = len(seen) % 2 == 1
        return seen[-1].model_copy(update={"version": seen[-1].version + 100}) if is_stale else seen[-1]

    monkeypatch.setattr("keisan.cli.deployment.find_deployment", find_late)
    assert command_line.run("deploy", "scale", deployment, "2", "--no-wait").code == 0
    assert command_line.run("deploy", "delete", deployment).code == 0
    assert len(seen) >= 4


@pytest.mark.parametrize(
    "words",
    [
        ("create", MODEL, "--replicas", "-1"),
        ("create", MODEL, "--replicas", str(REPLICA_COUNT_MAX + 1)),
        ("create", MODEL, "--slots", "0"),
        ("create", MODEL, "--slots", str(SLOTS_MAX + 1)),
        ("scale", MODEL, "--", "-1"),
        ("scale", MODEL, str(REPLICA_COUNT_MAX + 1)),
    ],
)
def test_number_out_of_bounds_is_refused_by_the_command(command_line: CommandLine, words: tuple[str, ...]) -> None:
    # Nobody need be asked for that, so nobody is.
    refused = command_line.run("deploy", *words[:1], "--url", "http://127.0.0.1:1", *words[1:])
    assert (refused.code, "Invalid value for" in refused.aside) == (2, True)


def test_unknown_names(command_line: CommandLine) -> None:
    assert MODEL in command_line.run("deploy", "create", "gpt").aside
    missing = command_line.run("deploy", "delete", "gpt")
    assert (missing.code, "there is no deployment 'gpt'" in missing.aside) == (5, True)
