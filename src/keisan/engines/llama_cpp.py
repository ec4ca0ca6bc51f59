"""llama.cpp, by the `xllamacpp` wheel, in a process of its own (keisan.engines.llama_cpp_server).

Facts here were measured on xllamacpp 2026.10.11549.
"""

import sys
from http import HTTPStatus
from pathlib import Path

from keisan.domain.engine import RunningUsage
from keisan.domain.verdict import Verdict
from keisan.engines.base import Health, LaunchPlan, LaunchRequest, check_launch
from keisan.engines.http_probe import fetch_answer
from keisan.engines.llama_cpp_config import LlamaCppConfig, format_config
from keisan.wire.snapshot import EngineProfile

PROBE_TIMEOUT_S = 2.0
# An idle slot's prompt is kept in memory for reuse; the wheel's default of 8 GiB would eat the host.
PROMPT_CACHE_MIB = 16
# A closed stream frees its slot only between batches: 256 tokens are 1.3 s of prefill on two slow cores, 2048 over 6 s.
BATCH_TOKENS = 256
# Each open connection holds one HTTP thread; the gateway's idle pool and the probes need some beside the slots.
SPARE_HTTP_THREADS = 16


class LlamaCpp:
    """The engine. One process holds `slots` x `context_tokens` of context and the weights, mapped from the file."""

    name = "llama_cpp"

    def profile(self) -> EngineProfile:
        """Return what the relay must know of it: connections close after 5 idle seconds or 100 requests (R14)."""
        return EngineProfile(
            running_usage=RunningUsage.LLAMA_CPP_TIMINGS,
            idle_connection_s=5,
            requests_per_connection_max=100,
            is_usage_summed_over_choices=False,
        )

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """Return how to start it; raises InvalidInput as Engine.plan says."""
        check_launch(request)
        config = LlamaCppConfig(
            model_name=request.model_name,
            weights_path=str(request.weights_path),
            socket_path=str(request.socket_path),
            slots=request.slots,
            context_tokens=request.context_tokens,
            threads=request.threads,
            http_threads=request.slots + SPARE_HTTP_THREADS,
            batch_tokens=BATCH_TOKENS,
            prompt_cache_mib=PROMPT_CACHE_MIB,
        )
        return LaunchPlan(
            argv=(sys.executable, "-m", "keisan.engines.llama_cpp_server", "--config", str(request.config_path)),
            config_text=format_config(config),
            working_directory=request.working_directory,
        )

    async def probe(self, socket_path: Path) -> Health:
        """Return its health. The socket is bound before the weights are loaded; until then /health answers 503."""
        try:
            answer = await fetch_answer(socket_path, "/health", PROBE_TIMEOUT_S)
        except TimeoutError:
            return Health(Verdict.UNKNOWN, f"no answer to a health probe within {PROBE_TIMEOUT_S:g} s")
        except (ConnectionRefusedError, FileNotFoundError):
            return Health(Verdict.FAILED, "nobody listens on the engine's socket")
        except (OSError, ValueError) as failure:
            return Health(Verdict.UNKNOWN, f"a health probe was cut: {failure}")
        if answer.status == HTTPStatus.OK:
            return Health(Verdict.OK)
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return Health(Verdict.UNKNOWN, "the engine is loading its model")
        return Health(Verdict.FAILED, f"the engine answers {answer.status} to a health probe")
