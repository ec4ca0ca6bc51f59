"""`keisan challenge` as typed: an agent that answers at once, its answers shown beside the claim."""

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from keisan.agent.challenge import open_parts
from keisan.cli.exit_code import ExitCode
from keisan.devices.benchmark_numpy import NumpyBenchmark
from keisan.domain.challenge import ChallengeWork
from keisan.wire.challenge import ChallengeOrder
from tests.api.stage import build_report
from tests.cli.conftest import CommandLine
from tests.control.reports import report_device

SITE = "quarry"
HARDWARE_ID = "cpu-quarry"
PERIOD_S = 0.05
DEVICE = report_device(hardware_id=HARDWARE_ID)


def answer(agent: httpx.Client, order: ChallengeOrder) -> None:
    """Do one order's work, or say that it cannot be done."""
    path = f"/site/challenges/{order.challenge_id}"
    work = ChallengeWork(order.workload, order.width, order.count, order.seed)
    if not NumpyBenchmark().can_run(DEVICE, work.workload):
        agent.post(f"{path}/commit", json={"commitment": None, "told_us": 0, "message": "not here"})
        return
    result = NumpyBenchmark().run(DEVICE, work, lambda: True)
    commit = agent.post(f"{path}/commit", json={"commitment": result.build_root(), "told_us": 1000})
    opened = open_parts(result, commit.json()["positions"])
    assert agent.post(f"{path}/answer", json=opened.model_dump(mode="json")).is_success


def report(agent: httpx.Client) -> list[ChallengeOrder]:
    device = DEVICE.model_dump(mode="json") | {"node_hardware_id": "host-quarry"}
    node = build_report()["nodes"][0] | {"hardware_id": "host-quarry"}  # type: ignore[index]  # a list of tables
    told = agent.post("/site/report", json=build_report(nodes=[node], devices=[device], engines={}, door=None))
    assert told.is_success, told.text
    return [ChallengeOrder.model_validate(order) for order in told.json()["challenges"]]


def join(api: httpx.Client) -> str:
    """Create the site, and return the secret of an agent that has joined it."""
    provider_id = api.get("/providers").json()["items"][0]["id"]
    site = api.post("/sites", json={"name": SITE, "provider_id": provider_id, "region": "JP-14"}).json()
    token = api.post("/machines/tokens", json={"kind": "site", "site_id": site["id"]}).json()["token"]
    secret = "mk-keisan-" + os.urandom(16).hex()
    digest = hashlib.sha256(secret.encode()).hexdigest()
    joined = api.post("/machines/join", json={"token": token, "name": "agent", "secret_digest": digest})
    assert joined.is_success, joined.text
    return secret


@pytest.fixture(scope="module")
def agent(command_line: CommandLine) -> Iterator[None]:
    """A site's agent that reports and does what it is ordered, in a thread."""
    stop = threading.Event()
    with command_line.open_api() as api, command_line.open_api(join(api)) as agent:
        report(agent)

        def follow() -> None:
            while not stop.wait(PERIOD_S):
                for order in report(agent):
                    answer(agent, order)

        with ThreadPoolExecutor(1) as threads:
            following = threads.submit(follow)
            try:
                yield
            finally:
                stop.set()
        following.result()


@pytest.mark.usefixtures("agent")
def test_challenge_is_run_and_shown_beside_the_claim(command_line: CommandLine) -> None:
    told = command_line.run("challenge", "run", SITE, "--precision", "fp64", "--claim", "1", "--json").told
    assert [(line["hardware_id"], line["claim_per_s"], line["state"]) for line in told] == [
        (HARDWARE_ID, 10**9, "judged")
    ]
    assert told[0]["rate_per_s"] > 0
    ran = command_line.run("challenge", "run", SITE, "--precision", "fp16")
    assert "unable (not here)" in ran.out
    assert f"{HARDWARE_ID}: planned" in ran.aside
    listed = command_line.run("challenge", "list", SITE, "--json").told
    assert [line["work"]["workload"] for line in listed] == ["fp64", "fp16"]
    command_line.run("challenge", "run", SITE, "--precision", "fp16")
    assert len(command_line.run("challenge", "list", SITE, "--json").told) == 2
    assert len(command_line.run("challenge", "list", "--all", "--json").told) == 3
    table = command_line.run("challenge", "list").out
    assert "FLOPS" in table
    assert "1 GFLOPS" in table
    [verified] = command_line.run("challenge", "verified", "--json").told
    assert (verified["workload"], verified["device_count"]) == ("fp64", 1)
    assert SITE in command_line.run("challenge", "verified").out


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run",), ExitCode.USAGE),
        (("run", "nowhere"), ExitCode.NOT_FOUND),
        (("run", SITE, "--precision", "fp3"), ExitCode.USAGE),
        (("list", "nowhere"), ExitCode.NOT_FOUND),
    ],
)
def test_what_cannot_be_challenged_is_refused(command_line: CommandLine, words: tuple[str, ...], code: int) -> None:
    assert command_line.run("challenge", *words).code == code
