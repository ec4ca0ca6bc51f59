"""The contract of an engine: how it is started, how its health is asked, what the relay must know of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from keisan.domain.errors import InvalidInput
from keisan.domain.limits import UNIX_SOCKET_PATH_BYTES_MAX
from keisan.domain.verdict import Verdict
from keisan.wire.snapshot import EngineProfile


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What an engine is to serve and where.

    `context_tokens` is per slot. The socket's and the configuration's directory is private to the agent (0700);
    `working_directory` is where the engine may leave a core file and nothing else.
    """

    model_name: str
    weights_path: Path
    slots: int
    context_tokens: int
    threads: int
    socket_path: Path
    config_path: Path
    working_directory: Path


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """How to start it: the command, what to add to its environment, where it runs.

    `config_text` is to be written to the request's config_path first. The command names that path as an argument of
    its own: by it an agent knows the processes that belong to it.
    """

    argv: tuple[str, ...]
    config_text: str
    working_directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """What a probe found.

    `unknown` is no answer in time, or "still loading"; it never restarts anything (R14). `failed` is proof: nobody
    listens, or the engine itself says that it is broken.
    """

    verdict: Verdict
    message: str = ""


class Engine(Protocol):
    """Serves one model per process, OpenAI-compatible, on a unix socket without a key (R9)."""

    @property
    def name(self) -> str:
        """The name that models and orders call it by."""
        ...

    def profile(self) -> EngineProfile:
        """Return what the relay must know of it."""
        ...

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """Return how to start it, without an effect.

        Raises InvalidInput when the socket's path is too long, or slots, context or threads are below one.
        """
        ...

    async def probe(self, socket_path: Path) -> Health:
        """Return its health within two seconds; whatever goes wrong is a verdict, never an exception."""
        ...


def check_launch(request: LaunchRequest) -> None:
    """Raise InvalidInput unless the request can be served by any engine.

    107 bytes is what Linux takes in sockaddr_un.sun_path (108 with the closing zero).
    """
    socket_bytes = len(bytes(request.socket_path))
    if socket_bytes > UNIX_SOCKET_PATH_BYTES_MAX:
        raise InvalidInput(
            f"the socket path {request.socket_path} has {socket_bytes} bytes, at most {UNIX_SOCKET_PATH_BYTES_MAX}; "
            "choose a shorter data directory",
            "socket_path",
        )
    for name in ("slots", "context_tokens", "threads"):
        count = getattr(request, name)
        if count < 1:
            raise InvalidInput(f"expected {name} of at least 1, got {count}", name)
