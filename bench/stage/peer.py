"""Gateways of others, from a registry: installed once, by hash, into an environment of their own in the cache folder.

Without the registry, or if one does not start, it is left out, and the bench's line says so and why.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from keisan.domain.key import Secret
from stage.cache import find_cache_folder, tell
from stage.engine import Engine
from stage.ports import find_free_ports
from stage.process import SUBJECT_CORE, start_pinned, wait_until_listening
from stage.subject import Subject, write_keys

REQUIREMENTS = Path(__file__).with_name("peers.txt")
# Each by its program, with the words before the options.
PEERS: dict[str, tuple[str, ...]] = {"vllm-router": (), "sglang-router": ("launch",)}
INSTALL_S_MAX = 300
START_S_MAX = 20.0


class PeerMissing(Exception):
    """A peer that cannot be measured here; its text says why."""


def install_peers() -> Path:
    """Return the folder of the peers' programs, after installing them if this is the first run; raises PeerMissing."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    folder = find_cache_folder() / f"peers-{digest}"
    done = folder / "installed"
    if not done.exists():
        tell("bench: installing the peers (once)")
        command = [
            str(folder / "bin" / "pip"),
            "install",
            "--quiet",
            "--retries",
            "1",
            "--require-hashes",
            "-r",
            str(REQUIREMENTS),
        ]
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=INSTALL_S_MAX)
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S_MAX)
        except subprocess.SubprocessError as fault:
            raise PeerMissing(f"the registry did not give the peers: {type(fault).__name__}") from fault
        done.touch()
    return folder / "bin"


def start_peer(name: str, programs: Path, folder: Path, engine: Engine, key: Secret) -> Subject:
    """Start a peer in front of the engine's TCP ports; raises PeerMissing if it does not come up."""
    folder.mkdir()
    port, metrics_port = find_free_ports(2)
    workers = [f"http://127.0.0.1:{one}" for one in engine.ports]
    command: list[str | Path] = [
        programs / name,
        *PEERS[name],
        *("--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(metrics_port)),
        *("--worker-urls", *workers, "--policy", "round_robin"),
        *("--api-key", key.reveal(), "--log-level", "error"),
    ]
    pinned = start_pinned(name, command, SUBJECT_CORE, folder / "peer.log")
    try:
        wait_until_listening(pinned, port, START_S_MAX)
    except RuntimeError as fault:
        pinned.end()
        raise PeerMissing(f"it did not start: {fault}") from fault
    return Subject(name.replace("-", "_"), port, write_keys(folder / "keys", [key]), pinned)
