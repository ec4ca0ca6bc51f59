"""Storage on both databases, for every test that asks for `storage`."""

# pytest finds a fixture by its name in this module.
from tests.databases import (  # noqa: F401  # fixtures
    clock,
    empty_storage,
    migrated_file,
    postgresql_storage,
    shared_postgresql,
    sqlite_storage,
    storage,
)
