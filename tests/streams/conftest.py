"""A database and a real nats-server for each test."""

# pytest finds a fixture by its name in this module.
from tests.databases import clock, migrated_file, sqlite_storage  # noqa: F401  # fixtures
from tests.nats import nats_server  # noqa: F401  # fixture
