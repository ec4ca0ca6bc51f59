"""Fixtures of the agent's tests."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.real_site import RealSite
from tests.agent.site_fakes import FakeSite, build_site
from tests.agent.small_platform import SmallPlatform, run_small_platform
from tests.smollm2 import RealModel


@pytest.fixture
def platform() -> Iterator[SmallPlatform]:
    """A platform over real HTTP."""
    with run_small_platform() as platform:
        yield platform


@pytest.fixture
def site(tmp_path: Path) -> FakeSite:
    """A site in memory."""
    return build_site(tmp_path / "site")


@pytest.fixture
def real_site(platform: SmallPlatform, tmp_path: Path, real_model: RealModel) -> Iterator[RealSite]:
    """A site with the real model; nothing of it is left."""
    site = RealSite(platform, tmp_path / "site", real_model)
    yield site
    asyncio.run(site.end())
