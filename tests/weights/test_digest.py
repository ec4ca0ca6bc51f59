"""A digest is computed once, and again as soon as anything about the file has changed."""

import hashlib
import os
from pathlib import Path

import pytest

from keisan.domain.errors import WeightsInvalid
from keisan.weights.base import WeightsRequest
from keisan.weights.digest import CHUNK_BYTES, hash_file, remember_check, verify_file

CONTENT = b"weights"


@pytest.fixture
def file_path(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def request_of_it(tmp_path: Path) -> WeightsRequest:
    return WeightsRequest("path:x", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), tmp_path)


def count_hashes(path: Path, request: WeightsRequest) -> int:
    """Return how often progress was told: not once when the note was believed."""
    seen: list[int] = []
    verify_file(path, request, lambda done, _total: seen.append(done))
    return len(seen)


def test_file_is_hashed_once(file_path: Path, request_of_it: WeightsRequest) -> None:
    assert count_hashes(file_path, request_of_it) == 1
    assert count_hashes(file_path, request_of_it) == 0


def test_touched_file_is_hashed_again(file_path: Path, request_of_it: WeightsRequest) -> None:
    count_hashes(file_path, request_of_it)
    os.utime(file_path, ns=(1, 1))
    assert count_hashes(file_path, request_of_it) == 1


def test_torn_note_is_not_believed(file_path: Path, request_of_it: WeightsRequest, tmp_path: Path) -> None:
    count_hashes(file_path, request_of_it)
    (note,) = (tmp_path / "checked").iterdir()
    note.write_bytes(note.read_bytes()[:-4])
    assert count_hashes(file_path, request_of_it) == 1


def test_remembered_check_is_believed(file_path: Path, request_of_it: WeightsRequest) -> None:
    remember_check(file_path, request_of_it)
    assert count_hashes(file_path, request_of_it) == 0


def test_note_counts_for_its_digest_only(file_path: Path, request_of_it: WeightsRequest, tmp_path: Path) -> None:
    count_hashes(file_path, request_of_it)
    with pytest.raises(WeightsInvalid, match="digest"):
        count_hashes(file_path, WeightsRequest("path:x", "0" * 64, len(CONTENT), tmp_path))


def test_long_file_tells_each_chunk(tmp_path: Path) -> None:
    content = b"a" * (CHUNK_BYTES + 1)
    (tmp_path / "long").write_bytes(content)
    seen: list[tuple[int, int]] = []
    found = hash_file(tmp_path / "long", lambda done, total: seen.append((done, total)))
    assert found == hashlib.sha256(content).hexdigest()
    assert seen == [(CHUNK_BYTES, len(content)), (len(content), len(content))]


def test_missing_file_is_refused(tmp_path: Path, request_of_it: WeightsRequest) -> None:
    for attempt in (verify_file, lambda path, _request, report: hash_file(path, report)):
        with pytest.raises(WeightsInvalid, match="cannot be read"):
            attempt(tmp_path / "nothing", request_of_it, lambda _done, _total: None)
