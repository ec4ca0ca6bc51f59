"""What the platform must know of an engine that a site can start."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Engines whose adapter, in this release, runs models on a node's processors alone, and what ids of such chips begin with.
CPU_ENGINES: Final = frozenset({"llama_cpp"})
CPU_CHIP_PREFIX: Final = "cpu-"


class RunningUsage(StrEnum):
    """How an engine tells its usage while it streams (R6)."""

    NONE = "none"
    LLAMA_CPP_TIMINGS = "llama_cpp_timings"
    CONTINUOUS_USAGE = "continuous_usage"


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """`idle_connection_s` and `requests_per_connection_max` are the engine server's own limits on a connection (R14).

    `is_usage_summed_over_choices` tells whether usage counts all choices, without which n > 1 is refused (R7).
    """

    running_usage: RunningUsage
    idle_connection_s: int
    requests_per_connection_max: int
    is_usage_summed_over_choices: bool
