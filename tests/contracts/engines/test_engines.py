"""The contract of engines, run on each with the real model: it serves on a private socket and ends when told to."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.verdict import Verdict
from keisan.engines.base import Engine, LaunchRequest
from keisan.engines.http_probe import fetch_answer
from keisan.engines.llama_cpp import LlamaCpp
from keisan.engines.socket_file import clear_stale_socket
from keisan.executors.base import ProcessIdentity, ProcessPlan
from keisan.executors.local import LocalExecutor
from tests.deadline import POLL_S
from tests.smollm2 import RealModel

READY_DEADLINE_S = 60.0


@pytest.fixture(params=[LlamaCpp], ids=["llama_cpp"])
def engine(request: pytest.FixtureRequest) -> Engine:
    build: Callable[[], Engine] = request.param
    return build()


def build_request(folder: Path, weights_path: Path = Path("/nowhere/model.gguf")) -> LaunchRequest:
    return LaunchRequest(
        model_name="a-model",
        weights_path=weights_path,
        slots=2,
        context_tokens=512,
        threads=2,
        socket_path=folder / "engine.sock",
        config_path=folder / "engine.json",
        working_directory=folder,
    )


@dataclass(frozen=True, slots=True)
class Running:
    """An engine's process, ready."""

    request: LaunchRequest
    process: ProcessIdentity
    executor: LocalExecutor
    log_path: Path


async def launch(engine: Engine, request: LaunchRequest) -> Running:
    plan = engine.plan(request)
    request.config_path.write_text(plan.config_text)
    executor = LocalExecutor(os.environ)
    log_path = request.working_directory / "engine.log"
    process = await executor.start(ProcessPlan(plan.argv, plan.working_directory, log_path, plan.environment))
    return Running(request, process, executor, log_path)


async def wait_until_ready(engine: Engine, running: Running) -> None:
    end_s = time.monotonic() + READY_DEADLINE_S
    while (health := await engine.probe(running.request.socket_path)).verdict is not Verdict.OK:
        assert await running.executor.is_alive(running.process), running.log_path.read_text()
        assert time.monotonic() < end_s, health
        await asyncio.sleep(POLL_S)


@pytest.fixture
async def running(engine: Engine, real_model: RealModel, tmp_path: Path) -> AsyncIterator[Running]:
    started = await launch(engine, build_request(tmp_path, real_model.path))
    await wait_until_ready(engine, started)
    yield started
    await started.executor.stop(started.process, grace_s=10)


async def test_socket_is_private_and_the_model_has_its_name(running: Running) -> None:
    assert running.request.socket_path.stat().st_mode & 0o777 == 0o600
    answer = await fetch_answer(running.request.socket_path, "/v1/models", 10)
    assert [model["id"] for model in json.loads(answer.body)["data"]] == ["a-model"]
    assert str(running.request.weights_path) not in answer.body


async def test_context_is_per_slot(running: Running) -> None:
    answer = await fetch_answer(running.request.socket_path, "/v1/models", 10)
    assert json.loads(answer.body)["data"][0]["meta"]["n_ctx"] == running.request.context_tokens


async def test_it_ends_promptly_and_its_socket_does_not_stand_in_the_way(engine: Engine, running: Running) -> None:
    started_s = time.monotonic()
    await running.executor.stop(running.process, grace_s=30)
    assert time.monotonic() - started_s < 20
    assert (await engine.probe(running.request.socket_path)).verdict is Verdict.FAILED
    # As the agent does: an engine that is told to end just when it has become ready leaves its socket.
    clear_stale_socket(running.request.socket_path)
    again = await launch(engine, running.request)
    await wait_until_ready(engine, again)
    await again.executor.stop(again.process, grace_s=10)


async def test_killed_engine_leaves_a_socket_that_can_be_cleared(engine: Engine, running: Running) -> None:
    await running.executor.stop(running.process, grace_s=0)
    clear_stale_socket(running.request.socket_path)
    again = await launch(engine, running.request)
    await wait_until_ready(engine, again)
    await again.executor.stop(again.process, grace_s=10)


async def test_broken_weights_end_the_process_with_a_reason(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF, but no more")
    failing = await launch(engine, build_request(tmp_path, tmp_path / "broken.gguf"))
    end_s = time.monotonic() + READY_DEADLINE_S
    while await failing.executor.is_alive(failing.process):
        assert time.monotonic() < end_s, "it goes on without a model"
        await asyncio.sleep(POLL_S)
    assert "broken.gguf" in failing.log_path.read_text()
    assert "cannot start" in failing.log_path.read_text()


def test_plan_names_its_configuration_and_leaves_no_trace(engine: Engine, tmp_path: Path) -> None:
    request = build_request(tmp_path)
    plan = engine.plan(request)
    assert str(request.config_path) in plan.argv
    assert list(tmp_path.iterdir()) == []


def test_long_socket_path_is_refused_with_the_limit(engine: Engine, tmp_path: Path) -> None:
    request = replace(build_request(tmp_path), socket_path=Path("/" + "é" * 54))
    with pytest.raises(InvalidInput, match="has 109 bytes, at most 107"):
        engine.plan(request)


@pytest.mark.parametrize("field", ["slots", "context_tokens", "threads"])
def test_nothing_to_serve_with_is_refused(engine: Engine, tmp_path: Path, field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        engine.plan(replace(build_request(tmp_path), **{field: 0}))  # type: ignore[arg-type]  # the field is drawn by the test's parameters


async def test_nobody_there_is_failed_not_unknown(engine: Engine, tmp_path: Path) -> None:
    assert (await engine.probe(tmp_path / "nothing.sock")).verdict is Verdict.FAILED


def test_profile_is_possible(engine: Engine) -> None:
    profile = engine.profile()
    assert profile.idle_connection_s >= 1
    assert profile.requests_per_connection_max >= 1
