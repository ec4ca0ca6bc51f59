"""Running a maker's tool: within a time, within an amount of output, and never a second time while the first one hangs."""

import os
import selectors
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Final, Protocol

from keisan.domain.errors import DevicesUnreadable
from keisan.kit.clock import Clock

# Eight devices in the most talkative form are 200 KB.
OUTPUT_BYTES_MAX: Final = 8 * 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_KILL_WAIT_S: Final = 1.0
_WORDS_MAX: Final = 300
# Secrets of this platform's own processes are no business of a maker's tool.
_PRIVATE_PREFIX: Final = "KEISAN_"


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool printed; `words` are its complaints."""

    exit_code: int
    text: str
    words: str = ""

    def explain(self) -> str:
        """Return why it failed, in its own words, on one line."""
        said = " ".join((self.words or self.text).split())[:_WORDS_MAX]
        return f"status {self.exit_code}: {said or 'it said nothing'}"


class ToolRunner(Protocol):
    """Runs tools."""

    def find(self, command: str) -> str | None:
        """Return the path of a command, None if this host has none."""
        ...

    def run(self, path: str, arguments: tuple[str, ...], timeout_s: float) -> ToolOutput:
        """Return what it printed; raises DevicesUnreadable when it takes too long, prints too much or cannot start."""
        ...


class LocalRunner:
    """Runs tools on this host with `environment`, settings of keisan left out."""

    def __init__(self, environment: Mapping[str, str], clock: Clock) -> None:
        kept = {name: text for name, text in environment.items() if not name.startswith(_PRIVATE_PREFIX)}
        # Numbers with commas would be other numbers.
        self._environment = {**kept, "LC_ALL": "C"}
        self._clock = clock
        self._stuck: dict[str, subprocess.Popen[bytes]] = {}

    def find(self, command: str) -> str | None:
        """Return the path of a command on this process's PATH."""
        return shutil.which(command, path=self._environment.get("PATH"))

    def run(self, path: str, arguments: tuple[str, ...], timeout_s: float) -> ToolOutput:
        """Return what it printed; raises DevicesUnreadable as the contract says, and while an earlier call still hangs."""
        stuck = self._stuck.get(path)
        if stuck is not None and stuck.poll() is None:
            raise DevicesUnreadable(f"{path} still hangs from an earlier call (process {stuck.pid})")
        self._stuck.pop(path, None)
        try:
            # The command is one of TOOLS, found on PATH; its arguments are constants and numbers that it told itself.
            process = subprocess.Popen(  # noqa: S603
                (path, *arguments),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as failure:
            raise DevicesUnreadable(f"{path} could not be started: {failure.strerror}") from failure
        try:
            output = self._read(process, path, timeout_s)
        finally:
            self._end(process, path)
        return output

    def _read(self, process: subprocess.Popen[bytes], path: str, timeout_s: float) -> ToolOutput:
        ends_s = self._clock.monotonic_s() + timeout_s
        assert process.stdout is not None
        assert process.stderr is not None
        parts: dict[int, list[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
        left_bytes = OUTPUT_BYTES_MAX
        with selectors.DefaultSelector() as selector:
            for pipe in (process.stdout, process.stderr):
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, ends_s - self._clock.monotonic_s()))
                if not ready:
                    raise DevicesUnreadable(f"{path} did not answer within {timeout_s:g} s")
                for key, _ in ready:
                    chunk = os.read(key.fd, _CHUNK_BYTES)
                    left_bytes -= len(chunk)
                    if left_bytes < 0:
                        raise DevicesUnreadable(f"{path} printed more than {OUTPUT_BYTES_MAX} bytes")
                    parts[key.fd].append(chunk)
                    if not chunk:
                        selector.unregister(key.fileobj)
        try:
            exit_code = process.wait(max(0.1, ends_s - self._clock.monotonic_s()))
        except subprocess.TimeoutExpired as failure:
            raise DevicesUnreadable(f"{path} did not end within {timeout_s:g} s") from failure
        text, words = (_decode(parts[pipe.fileno()]) for pipe in (process.stdout, process.stderr))
        return ToolOutput(exit_code, text, words)

    def _end(self, process: subprocess.Popen[bytes], path: str) -> None:
        """End it if it still runs; one that even SIGKILL does not end (a hung driver) is remembered."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            try:
                process.wait(_KILL_WAIT_S)
            except subprocess.TimeoutExpired:
                self._stuck[path] = process
        for pipe in (process.stdout, process.stderr):
            _close(pipe)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        pipe.close()


def _decode(parts: list[bytes]) -> str:
    return b"".join(parts).decode("utf-8", "replace")
