"""The recorded forms of makers' tools, and commands that print them as the tools would."""

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"
# Which sample a tool prints for which arguments; {0}, {1} stand for any number. The first that fits is printed.
ANSWERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "nvidia-smi": (
        ("-q -x", "nvidia/log.xml"),
        ("--query-gpu=*", "nvidia/query.csv"),
        ("nvlink -s", "nvidia/link_state.txt"),
        ("nvlink -e", "nvidia/link_errors.txt"),
    ),
    "amd-smi": (
        ("list *", "amd/list.json"),
        ("static *", "amd/static.json"),
        ("metric *--ecc*", "amd/metric_dear.json"),
        ("metric *", "amd/metric.json"),
    ),
    "rocm-smi": (("*", "amd/rocm.json"),),
    "npu-smi": (
        ("info", "ascend/info_910b.txt"),
        ("info -t board -i 3", "ascend/board.txt"),
        ("info -t board -i 3 -c 0", "ascend/board_chip.txt"),
        ("info -t ecc -i 3 -c 0", "ascend/ecc.txt"),
    ),
    "cnmon": (("info", "cambricon/info.txt"),),
    "mx-smi": (("-L", "metax/list.txt"), ("", "metax/table.txt")),
    "hy-smi": (("*", "hygon/cards.json"),),
    "ixsmi": (("-q -x", "iluvatar/log.xml"),),
    "mthreads-gmi": (("-q --json", "mthreads/log.json"),),
    "ppu-smi": (("--query-ppu=*", "thead/query.csv"),),
    "xpu-smi": (("-q", "kunlunxin/log.txt"),),
    "efsmi": (("-q", "enflame/log.txt"),),
    "gpustack-runtime": (("detect --format json", "gpustack/detect.txt"),),
    "brsmi": (("gpu --query-gpu=*", "biren/query.csv"),),
}
# The twelve makers, by the tool that each one's devices are found with.
MAKERS: Mapping[str, str] = {
    "nvidia": "nvidia-smi",
    "amd": "amd-smi",
    "ascend": "npu-smi",
    "cambricon": "cnmon",
    "metax": "mx-smi",
    "hygon": "hy-smi",
    "iluvatar": "ixsmi",
    "mthreads": "mthreads-gmi",
    "thead": "ppu-smi",
    "kunlunxin": "xpu-smi",
    "enflame": "efsmi",
    "biren": "brsmi",
}


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A recorded form: whose text it is, of how many devices, and how sure its form is."""

    path: Path
    vendor: str
    devices: int
    certainty: str
    url: str

    @property
    def text(self) -> str:
        """Return what the tool prints."""
        return self.path.read_text()


def list_samples() -> tuple[SampleFile, ...]:
    """Return every sample that a sources.toml names."""
    found = []
    for sources in sorted(SAMPLES.glob("*/sources.toml")):
        for name, entry in tomllib.loads(sources.read_text()).items():
            found.append(
                SampleFile(sources.parent / name, entry["vendor"], entry["devices"], entry["certainty"], entry["url"])
            )
    return tuple(found)


def read_sample(name: str) -> str:
    """Return the text of a sample, by maker and file."""
    return (SAMPLES / name).read_text()


def install_tool(folder: Path, command: str, answers: tuple[tuple[str, str], ...] | None = None) -> Path:
    """Put a command into a folder that prints samples for the arguments they belong to, and fails for all others."""
    cases = "\n".join(
        f"  {_quote_pattern(pattern)}) exec cat {shlex.quote(str(SAMPLES / name))} ;;"
        for pattern, name in (ANSWERS[command] if answers is None else answers)
    )
    return install_script(
        folder, command, f'case "$*" in\n{cases}\n  *) echo "unknown option $*" >&2; exit 2 ;;\nesac\n'
    )


def install_script(folder: Path, command: str, body: str) -> Path:
    """Put a command with this body, for sh, into a folder."""
    folder.mkdir(exist_ok=True)
    path = folder / command
    path.write_text(f"#!/bin/sh\n{body}")
    path.chmod(0o755)
    return path


def _quote_pattern(pattern: str) -> str:
    return "*".join(shlex.quote(part) if part else "" for part in pattern.split("*")) or "''"
