"""Fixtures of the agent's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.site_fakes import FakeSite, build_site
from tests.agent.small_platform import SmallPlatform, run_small_platform


@pytest.fixture
def platform() -> Iterator[SmallPlatform]:
    """A platform over real HTTP."""
    with run_small_platform() as platform:
        yield platform


@pytest.fixture
def site(tmp_path: Path) -> FakeSite:
    """A site in memory."""
    return build_site(tmp_path / "site")
