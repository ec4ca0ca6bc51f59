"""What is measured: a started gateway, keisan's or another's, or the engine itself with nothing between."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keisan.domain.key import Secret
from stage.engine import Engine, Platform
from stage.process import Pinned


@dataclass(frozen=True, slots=True)
class Subject:
    """`pinned` is None for the engine itself. `platform` is where its usage records go, if it makes any."""

    name: str
    port: int
    key_path: Path
    pinned: Pinned | None
    platform: Platform | None = None


def write_keys(path: Path, keys: Sequence[Secret]) -> Path:
    """Write the keys that load is made with, one a line."""
    path.write_text("".join(f"{key.reveal()}\n" for key in keys))
    return path


def get_engine_itself(engine: Engine, key_path: Path) -> Subject:
    """Return the engine as a subject: what a call costs in time with no gateway."""
    return Subject("direct", engine.ports[0], key_path, None)
