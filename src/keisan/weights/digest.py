"""Checking a weight file against its digest, once: the note of a passed check is kept, so a start hashes nothing again."""

import hashlib
import json
from pathlib import Path

from keisan.domain.errors import WeightsInvalid
from keisan.kit.private_file import create_private_folder, write_private_file
from keisan.weights.base import Progress, WeightsRequest

CHUNK_BYTES = 4 * 1024 * 1024


def verify_file(path: Path, request: WeightsRequest, report: Progress) -> None:
    """Raise WeightsInvalid unless `path` holds the requested bytes.

    A note in the request's directory says that this file (same size, modification time and inode) passed before.
    """
    facts = _describe_file(path, request)
    if _read_note(_place_note(path, request)) == facts:
        return
    if facts["size_bytes"] != request.size_bytes:
        raise WeightsInvalid(f"{path} has {facts['size_bytes']} bytes, expected {request.size_bytes}")
    found = hash_file(path, report)
    if found != request.sha256:
        raise WeightsInvalid(f"{path} has the digest sha256:{found}, expected sha256:{request.sha256}")
    remember_check(path, request)


def remember_check(path: Path, request: WeightsRequest) -> None:
    """Note that `path` was found to hold the requested bytes; raises WeightsInvalid when it is gone."""
    note_path = _place_note(path, request)
    create_private_folder(note_path.parent)
    write_private_file(note_path, json.dumps(_describe_file(path, request), indent=2).encode())


def hash_file(path: Path, report: Progress) -> str:
    """Return the hex SHA-256 of a file; raises WeightsInvalid when it cannot be read."""
    digest = hashlib.sha256()
    done_bytes = 0
    try:
        with path.open("rb") as file:
            size_bytes = path.stat().st_size
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                done_bytes += len(chunk)
                report(done_bytes, size_bytes)
    except OSError as failure:
        raise WeightsInvalid(f"the weights cannot be read: {failure}") from failure
    return digest.hexdigest()


def _place_note(path: Path, request: WeightsRequest) -> Path:
    return request.directory / "checked" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:24]}.json"


def _describe_file(path: Path, request: WeightsRequest) -> dict[str, str | int]:
    try:
        stat = path.stat()
    except OSError as failure:
        raise WeightsInvalid(f"the weights cannot be read: {failure}") from failure
    return {
        "path": str(path),
        "size_bytes": stat.st_size,
        "modified_ns": stat.st_mtime_ns,
        "inode": stat.st_ino,
        "sha256": request.sha256,
    }


def _read_note(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        # No note, or a torn one: the file is hashed again, which is always right.
        return None
