"""Files that hold secrets or state: mode 0600, replaced as a whole, on disk when the call returns."""

import os
from pathlib import Path


def write_private_file(path: Path, content: bytes) -> None:
    """Replace `path` by `content` so that a crash leaves the old file or the new one; raises OSError.

    The folder must exist. One writer per path at a time: the temporary file's name is fixed, so that a crash leaves
    at most one behind and the next write takes it over.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_folder(path.parent)


def create_private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, that only its owner may enter; raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Return once what a folder names is on the disk; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
