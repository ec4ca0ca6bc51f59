"""A whole platform on both databases, with its API and its people."""

# pytest finds a fixture by its name in this module.
from tests.api.conftest import any_stage, postgresql_stage, stage, stage_template  # noqa: F401  # fixtures
