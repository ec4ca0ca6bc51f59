"""A bucket as a place for history: what is asked of it has an end."""

import socket

import pytest

from keisan.storage import history_s3
from keisan.storage.history_s3 import S3Options, open_bucket
from keisan.storage.history_store import HistoryFileStore


def test_a_store_that_is_not_there_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    place = open_bucket("bucket/prefix", S3Options(f"http://127.0.0.1:{port}", "r", None, None))
    assert place.root == "bucket/prefix"
    assert history_s3.CONNECT_TIMEOUT_S < history_s3.REQUEST_TIMEOUT_S
    with pytest.raises(OSError, match=r"bucket"):
        HistoryFileStore(place, tmp_path_factory.mktemp("work")).list_manifests()
