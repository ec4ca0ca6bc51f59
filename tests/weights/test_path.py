"""Weights by path."""

from pathlib import Path

import pytest

from keisan.domain.errors import WeightsInvalid
from keisan.weights.base import WeightsRequest
from keisan.weights.path import PathSource


def build_request(reference: str, directory: Path) -> WeightsRequest:
    return WeightsRequest(reference, "0" * 64, 1, directory)


def test_relative_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsInvalid, match="absolute"):
        PathSource().fetch(build_request("path:model.gguf", tmp_path), lambda _done, _total: None)


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsInvalid, match="there is no file"):
        PathSource().fetch(build_request(f"path:{tmp_path}", tmp_path), lambda _done, _total: None)


def test_wrong_size_is_refused_with_both(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"four")
    with pytest.raises(WeightsInvalid, match="has 4 bytes, expected 1"):
        PathSource().fetch(build_request(f"path:{tmp_path}/model.gguf", tmp_path), lambda _done, _total: None)
