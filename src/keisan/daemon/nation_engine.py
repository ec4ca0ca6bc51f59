"""What engines of a nation have worked on by their own count, read on their own sockets, which no platform tells."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from keisan.daemon.nation import NationPlatform
from keisan.domain.errors import Failed
from keisan.domain.price import TokenClass
from keisan.engines.http_probe import fetch_answer
from keisan.kit.private_file import create_private_folder

ENGINE_S_MAX = 5.0
_COUNT = re.compile(r"^llamacpp:(prompt_tokens|tokens_predicted)_total (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class EngineCount:
    """What an engine has worked on since its start, by its own count."""

    prompt_tokens: int
    output_tokens: int

    def subtract(self, other: "EngineCount") -> "EngineCount":
        """Return what came since `other`."""
        return EngineCount(self.prompt_tokens - other.prompt_tokens, self.output_tokens - other.output_tokens)

    def __str__(self) -> str:
        return f"{self.prompt_tokens} tokens in and {self.output_tokens} out"


IDLE = EngineCount(0, 0)


@contextmanager
def link_engines(folder: Path, platforms: Sequence[NationPlatform]) -> Iterator[dict[str, Path]]:
    """Yield paths to the engines' sockets by their platforms' codes, which lead there also once sockets were moved.

    Raises Failed unless each platform has one engine.
    """
    create_private_folder(folder)
    links: dict[str, Path] = {}
    try:
        for platform in platforms:
            link = folder / f"{platform.plan.code}.sock"
            link.unlink(missing_ok=True)
            link.hardlink_to(find_socket(platform))
            links[platform.plan.code] = link
        yield links
    finally:
        for link in links.values():
            link.unlink(missing_ok=True)


def find_socket(platform: NationPlatform) -> Path:
    """Return the socket of a platform's engine; raises Failed unless it has one."""
    found = sorted((platform.folder.site / "run").glob("*.sock"))
    if len(found) != 1:
        raise Failed(f"expected one engine in {platform.plan.code}, got {len(found)}")
    return found[0]


async def count_engines(engines: Mapping[str, Path]) -> dict[str, EngineCount]:
    """Return what each engine has worked on; raises Failed if one does not tell."""
    return {code: await count_engine(path) for code, path in engines.items()}


async def count_engine(socket_path: Path) -> EngineCount:
    """Return an engine's own count; raises Failed if it does not tell."""
    try:
        answer = await fetch_answer(socket_path, "/metrics", ENGINE_S_MAX)
    except (OSError, TimeoutError, ValueError) as fault:
        raise Failed(f"the engine at {socket_path} does not tell its count", repr(fault)) from fault
    found = {name: int(number) for name, number in _COUNT.findall(answer.body)}
    if len(found) != 2:
        raise Failed(f"the engine at {socket_path} does not tell its count", answer.body[:200])
    return EngineCount(found["prompt_tokens"], found["tokens_predicted"])


def count_billed(quantities: Mapping[TokenClass, int]) -> EngineCount:
    """Return what an engine must have worked on for what a record says: what was cached it did not work on."""
    return EngineCount(quantities.get(TokenClass.INPUT, 0), quantities.get(TokenClass.OUTPUT, 0))
