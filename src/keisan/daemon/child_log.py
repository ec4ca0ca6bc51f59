"""A process's own log file, bounded: past its size it is moved aside over the one before, and standard error follows."""

import io
import os
from pathlib import Path

LOG_BYTES_MAX = 10 * 1024 * 1024


class BoundedLog(io.TextIOBase):
    """Standard error as a text stream whose file is rotated.

    The descriptor itself is moved, so what native code writes is in the new file too.
    """

    def __init__(self, path: Path, descriptor: int = 2, bytes_max: int = LOG_BYTES_MAX) -> None:
        super().__init__()
        self._path = path
        self._descriptor = descriptor
        self._bytes_max = bytes_max
        self._open()

    def write(self, text: str) -> int:
        """Append text; raises OSError when the disk is full."""
        os.write(self._descriptor, text.encode(errors="replace"))
        if os.fstat(self._descriptor).st_size > self._bytes_max:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._open()
        return len(text)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        fresh = os.open(self._path, flags, 0o600)
        # Not inheritable: an engine has a log of its own.
        os.dup2(fresh, self._descriptor, inheritable=self._descriptor <= 2)
        os.close(fresh)


def read_last_lines(path: Path, count: int = 8) -> str:
    """Return the last lines of a log, empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
