"""Where what a bench builds or installs is kept between runs, outside of the repository."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

NATIVE = Path(__file__).with_name("native")
COMPILE_S_MAX = 60
# What each program is linked from, beside its own file.
PARTS = {"engine": ("http",), "platform": ("credit", "http"), "load": ("answer", "http", "prompt", "samples")}


@dataclass(frozen=True, slots=True)
class Programs:
    """The compiled programs by what they play."""

    engine: Path
    platform: Path
    load: Path


def find_cache_folder() -> Path:
    """Return the benches' folder (XDG base directories), made if it is missing."""
    home = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(home) if home else Path.home() / ".cache") / "keisan-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compile_programs() -> Programs:
    """Compile what changed since the last run; the sources' digest is part of the folder's name."""
    digest = hashlib.sha256()
    for path in sorted(NATIVE.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    folder = find_cache_folder() / f"programs-{digest.hexdigest()[:16]}"
    folder.mkdir(exist_ok=True)
    return Programs(**{name: _compile_program(name, folder / name) for name in PARTS})


def _compile_program(name: str, path: Path) -> Path:
    if not path.exists():
        sources = [str(NATIVE / f"{stem}.c") for stem in (name, *PARTS[name])]
        fresh = path.with_suffix(".new")
        command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(fresh), *sources, "-lm"]
        subprocess.run(command, check=True, timeout=COMPILE_S_MAX)
        fresh.rename(path)
    return path


def tell(text: str) -> None:
    """Say to people what goes on; standard output is for the one JSON line."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
