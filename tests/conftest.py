"""Fixtures for every test: PostgreSQL as it is found, skipped by name without it, failed in CI."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings

from tests.postgresql import PostgresqlServer, find_programs, run_server

# The real model, for whoever asks for it.
pytest_plugins = ("tests.smollm2",)

# How long one example takes says nothing about it on a machine that others share.
settings.register_profile("keisan", deadline=None)
settings.load_profile("keisan")


@pytest.fixture(scope="session")
def postgresql_programs() -> Path:
    """The folder with PostgreSQL's programs."""
    programs = find_programs()
    if programs is None:
        reason = "PostgreSQL is not installed (no initdb under /usr/lib/postgresql or on PATH)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must not skip its tests")
        pytest.skip(reason)
    return programs


@pytest.fixture(scope="session")
def postgresql_server(postgresql_programs: Path) -> Iterator[PostgresqlServer]:
    """A private server for the whole run."""
    with run_server(postgresql_programs) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The SQLAlchemy URL (asyncpg) of an empty database that only this test sees."""
    database = f"test_{uuid4().hex}"
    postgresql_server.create_database(database)
    yield postgresql_server.format_url(database)
    postgresql_server.drop_database(database)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests recorded of their runs (record_property): a green dot hides how much was tried."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, told in report.user_properties:
                    terminalreporter.write_line(f"{report.nodeid}: {name}: {told}")
