"""`keisan challenge serve` and `served` as typed: what is asked of the platform, and what is shown of its answers."""

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlparse

import pytest

from keisan.cli.exit_code import ExitCode
from keisan.domain.serving_challenge import ServingChallenge, ServingFlag, ServingState
from keisan.domain.verdict import Verdict
from keisan.wire.deployment import DeploymentView
from keisan.wire.model import ModelView
from keisan.wire.project import ProjectView
from keisan.wire.serving_challenge import ServingChallengeView
from keisan.wire.site import SiteView
from tests.cli.conftest import CommandLine
from tests.domain.samples import NOW, build_deployment, build_model, build_project, build_site
from tests.domain.serving_samples import STEP, build_serving_challenge

MODEL, SITE, PROJECT, DEPLOYMENT = build_model(), build_site(), build_project(), build_deployment()
NOT_HELD = replace(STEP, concurrency=2, first_token_p95_us=None, is_held=False)
CHALLENGE = build_serving_challenge(
    site_id=SITE.id,
    model_id=MODEL.id,
    deployment_id=DEPLOYMENT.id,
    claim_milli_per_s=200_000,
    state=ServingState.JUDGED,
    steps=(STEP, NOT_HELD),
    message="engine_overloaded",
    verdict=Verdict.OK,
    flags=(ServingFlag.CALLS_FAILED,),
    rate_milli_per_s=128_000,
    concurrency=1,
    judged_at=NOW,
    version=3,
)


def show(challenge: ServingChallenge) -> dict[str, Any]:
    return ServingChallengeView.model_validate(challenge).model_dump(mode="json")


@dataclass
class Double:
    """A platform that answers reads from what it was given and keeps what is posted."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def double() -> Iterator[Double]:
    """A platform with one deployment, whose challenge is judged at the second look."""
    double = Double()
    lists: dict[str, Any] = {
        "models": ModelView(
            **asdict(MODEL.facts), id=MODEL.id, platform_id=MODEL.platform_id, version=1, created_at=NOW, price_id=None
        ),
        "sites": SiteView.model_validate(SITE),
        "projects": ProjectView.model_validate(PROJECT),
        "deployments": DeploymentView.model_validate(DEPLOYMENT),
    }
    for name, view in lists.items():
        double.answers[f"/api/v1/{name}"] = [{"items": [view.model_dump(mode="json")], "next_cursor": None}]
    path = "/api/v1/serving-challenges"
    planned = replace(CHALLENGE, state=ServingState.PLANNED, steps=(STEP,), judged_at=None, version=2)
    older = replace(CHALLENGE, rate_milli_per_s=1000)
    double.answers[path] = [{"items": [show(older), show(CHALLENGE)], "next_cursor": None}]
    double.answers[f"{path}/{CHALLENGE.id}"] = [show(planned), show(CHALLENGE)]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers = double.answers[urlparse(self.path).path]
            self._answer(200, answers.pop(0) if len(answers) > 1 else answers[0])

        def do_POST(self) -> None:
            double.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self._answer(201, show(planned))

        def _answer(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def build_line(double: Double) -> CommandLine:
    return CommandLine(double.url, "sk-keisan-x", "sk-keisan-y")


def test_serve_asks_waits_and_tells_each_step(double: Double) -> None:
    options = ("--project", PROJECT.name, "--site", SITE.name, "--first-token-ms", "1500", "--step-s", "3")
    more = ("--max-tokens", "32", "--max-calls", "16", "--claim", "200")
    answer = build_line(double).run("challenge", "serve", MODEL.facts.name, *options, *more)
    assert answer.code == 0, answer.aside
    assert double.bodies == [
        {
            "deployment_id": str(DEPLOYMENT.id),
            "site_id": str(SITE.id),
            "project_id": str(PROJECT.id),
            "first_token_ms": 1500,
            "step_s": 3,
            "output_tokens_max": 32,
            "concurrency_max": 16,
            "claim_milli_per_s": 200_000,
        }
    ]
    assert answer.aside.splitlines() == [
        "1 at a time: 10 calls, 128.0 tokens/s, first token 400 ms, holds",
        "2 at a time: 10 calls, 128.0 tokens/s, no first token, does not hold",
    ]
    for part in (
        "128.0 tokens/s",
        "200.0 tokens/s",
        "2000 ms",
        SITE.name,
        MODEL.facts.name,
        "calls_failed",
        "engine_overloaded",
    ):
        assert part in answer.out


def test_serve_leaves_open_what_is_not_said_and_prints_json(double: Double) -> None:
    answer = build_line(double).run("challenge", "serve", str(DEPLOYMENT.id), "--json")
    assert answer.told == show(CHALLENGE)
    [body] = double.bodies
    assert (body["site_id"], body["project_id"], body["claim_milli_per_s"]) == (None, None, None)


def test_served_lists_the_last_of_each_deployment_and_site(double: Double) -> None:
    line = build_line(double)
    assert line.run("challenge", "served", "--json").told == [show(CHALLENGE)]
    assert len(line.run("challenge", "served", "--all", "--json").told) == 2
    assert "128.0 tokens/s" in line.run("challenge", "served").out


def test_deployment_without_a_ready_replica_is_refused(command_line: CommandLine) -> None:
    [deployment, *_] = command_line.run("deploy", "list", "--json").told
    answer = command_line.run("challenge", "serve", deployment["id"])
    assert answer.code == ExitCode.REFUSED
    assert "no gateway" in answer.aside
