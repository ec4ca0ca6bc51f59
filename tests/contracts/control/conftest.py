"""Storage on both databases, for every test that asks for `storage`."""

# pytest finds a fixture by its name in this module.
# Two platforms that settle, and the post between them.
from tests.control.settlement_fixtures import home, other_storage, post, serving  # noqa: F401  # fixtures
from tests.databases import (  # noqa: F401  # fixtures
    clock,
    empty_storage,
    migrated_file,
    postgresql_storage,
    shared_postgresql,
    sqlite_storage,
    storage,
)
