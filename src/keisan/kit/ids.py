"""UUIDv7: time-ordered, unique worldwide, without meaning."""

from uuid import UUID

import uuid_utils.compat


def create_id() -> UUID:
    """Return a new UUIDv7."""
    return uuid_utils.compat.uuid7()
