"""What the llama.cpp server process is told, as a file between it and the agent.

Apart from the engine, so that the process need not load what only the agent needs: 0.3 s of a start on a slow host.
"""

import json
from dataclasses import asdict, dataclass

from keisan.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class LlamaCppConfig:
    """What the server process reads from its configuration file; `context_tokens` is per slot."""

    model_name: str
    weights_path: str
    socket_path: str
    slots: int
    context_tokens: int
    threads: int
    http_threads: int
    batch_tokens: int
    prompt_cache_mib: int


def format_config(config: LlamaCppConfig) -> str:
    """Return the configuration as the text of its file."""
    return json.dumps(asdict(config), indent=2) + "\n"


def parse_config(text: str) -> LlamaCppConfig:
    """Return the configuration that format_config wrote; raises InvalidInput when it is not one."""
    try:
        return LlamaCppConfig(**json.loads(text))
    except (ValueError, TypeError) as failure:
        raise InvalidInput(
            f"the configuration of the llama_cpp engine cannot be read: {failure}", "config"
        ) from failure
