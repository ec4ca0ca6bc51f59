"""An S3-compatible store for tests: moto's server, in this process, on a port of its own."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow.fs as pf
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from keisan.domain.key import Secret
from keisan.storage.history_s3 import S3Options, open_bucket
from keisan.storage.history_store import BucketPlace


@contextmanager
def start_s3() -> Iterator[str]:
    """Run a store and give its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def create_bucket(url: str, name: str) -> BucketPlace:
    """Return a place in a new bucket."""
    options = S3Options(url=url, region="us-east-1", access_key="test", secret_key=Secret("test"))
    place = open_bucket(f"{name}/history", options)
    creator = pf.S3FileSystem(
        access_key="test",
        secret_key="test",
        endpoint_override=url.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    )
    creator.create_dir(name)
    return place
