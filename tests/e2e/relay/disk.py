"""Small file systems of a test's own, which can be full or broken without anyone else's being so. Needs root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def run(*command: str) -> None:
    """Run a command; raises CalledProcessError with what it said."""
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def skip_unless_root() -> None:
    """Skip the test where mounting is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system of its own needs root")


@contextmanager
def mount(folder: Path, *arguments: str) -> Iterator[None]:
    """Mount something at `folder`; skips the test where this is not allowed, as in most containers."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        run("mount", *arguments, str(folder))
    except (OSError, subprocess.CalledProcessError) as fault:
        said = getattr(fault, "stderr", b"").decode(errors="replace").strip()
        pytest.skip(f"mounting a file system of its own is not allowed here: {fault} {said}")
    try:
        yield
    finally:
        # What a killed process held open is let go by the system in its own time.
        with suppress(subprocess.CalledProcessError):
            run("umount", "--lazy", str(folder))


@contextmanager
def mount_memory(folder: Path, size_bytes: int) -> Iterator[None]:
    """Mount a tmpfs of so many bytes."""
    skip_unless_root()
    with mount(folder, "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs"):
        yield


def resize_memory(folder: Path, size_bytes: int) -> None:
    """Give a mounted tmpfs another size."""
    run("mount", "-o", f"remount,size={size_bytes}", str(folder))


def make_image(path: Path, size_bytes: int) -> None:
    """Make a file that holds an empty ext4."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
    run("mkfs.ext4", "-q", "-F", str(path))


@contextmanager
def mount_image(image: Path, folder: Path) -> Iterator[None]:
    """Mount an image through a loop device."""
    skip_unless_root()
    with mount(folder, "-o", "loop", str(image)):
        yield


def make_read_only(folder: Path) -> None:
    """Let an ext4 turn read-only under open files, as it does by itself when its device fails."""
    run("mount", "-o", "remount,abort", str(folder))
