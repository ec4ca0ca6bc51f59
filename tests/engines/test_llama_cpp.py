"""llama.cpp: its plan, its configuration, and what its answers to a probe mean."""

from pathlib import Path

import pytest

from keisan.domain.engine import RunningUsage
from keisan.domain.verdict import Verdict
from keisan.engines import llama_cpp
from keisan.engines.base import LaunchRequest
from keisan.engines.llama_cpp import LlamaCpp
from keisan.engines.llama_cpp_config import parse_config
from tests.engines.answering import listen_on

REQUEST = LaunchRequest("m", Path("/w/m.gguf"), 4, 2048, 2, Path("/r/a.sock"), Path("/r/a.json"), Path("/r"))


def test_configuration_carries_the_request() -> None:
    config = parse_config(LlamaCpp().plan(REQUEST).config_text)
    assert (config.model_name, config.weights_path, config.socket_path) == ("m", "/w/m.gguf", "/r/a.sock")
    assert (config.slots, config.context_tokens, config.threads) == (4, 2048, 2)
    assert config.http_threads > config.slots


def test_connections_live_as_measured() -> None:
    profile = LlamaCpp().profile()
    assert profile.running_usage is RunningUsage.LLAMA_CPP_TIMINGS
    assert (profile.idle_connection_s, profile.requests_per_connection_max) == (5, 100)
    assert not profile.is_usage_summed_over_choices


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n{}", Verdict.OK),
        (b"HTTP/1.1 503 Loading\r\n\r\n{}", Verdict.UNKNOWN),
        (b"HTTP/1.1 500 Broken\r\n\r\n{}", Verdict.FAILED),
        (b"", Verdict.UNKNOWN),
        (None, Verdict.UNKNOWN),
    ],
    ids=["ok", "loading", "broken", "cut", "slow"],
)
async def test_a_probe_becomes_a_verdict(
    answer: bytes | None, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if answer is None:
        monkeypatch.setattr(llama_cpp, "PROBE_TIMEOUT_S", 0.2)
    async with listen_on(tmp_path / "s", answer):
        health = await LlamaCpp().probe(tmp_path / "s")
    assert health.verdict is verdict
    assert bool(health.message) is (verdict is not Verdict.OK)
