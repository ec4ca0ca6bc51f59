"""History in a bucket of an S3-compatible store, through Arrow's own client: no extension of DuckDB, and no other library."""

from dataclasses import dataclass
from typing import Final

import pyarrow.fs as pf

from keisan.domain.key import Secret
from keisan.storage.history_store import BucketPlace

CONNECT_TIMEOUT_S: Final = 5
REQUEST_TIMEOUT_S: Final = 30


@dataclass(frozen=True, slots=True)
class S3Options:
    """Where a store is and who asks. Without `url` it is Amazon's; without keys they are found as its tools find them."""

    url: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: Secret | None = None


def open_bucket(path: str, options: S3Options) -> BucketPlace:
    """Return a bucket, with a prefix after a slash, as a place for history; it must be there. Nothing is asked yet."""
    scheme, _, address = (options.url or "https://").partition("://")
    filesystem = pf.S3FileSystem(
        access_key=options.access_key,
        secret_key=None if options.secret_key is None else options.secret_key.reveal(),
        endpoint_override=address or None,
        scheme=scheme,
        region=options.region,
        connect_timeout=CONNECT_TIMEOUT_S,
        request_timeout=REQUEST_TIMEOUT_S,
        # All objects are files; the folders that Arrow would make beside them are objects that nobody needs.
        allow_bucket_creation=False,
        allow_bucket_deletion=False,
    )
    return BucketPlace(path, filesystem)
