"""Fixtures of the SDK's tests: the API's stage, and the same behind a real server for the synchronous client."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvicorn

from keisan.sdk import AsyncKeisan, Connections, Keisan
from tests.api.conftest import stage, stage_template
from tests.api.stage import Stage, copy_stage
from tests.deadline import wait_until
from tests.sdk.platform import connect

__all__ = ["admin", "keisan", "stage", "stage_template"]


@pytest.fixture
async def admin(stage: Stage) -> AsyncIterator[AsyncKeisan]:
    """An asynchronous client with the admin's key."""
    async with AsyncKeisan.over(Connections(connect(stage, "admin"), clock=stage.clock)) as client:
        yield client


@pytest.fixture
def keisan(stage_template: tuple[Stage, Path], tmp_path: Path) -> Iterator[Keisan]:
    """A synchronous client with the admin's key, of a platform that listens on a real port."""
    template, source = stage_template
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        async with copy_stage(template, source, tmp_path / "keisan.db") as stage:
            config = uvicorn.Config(stage.app, port=0, lifespan="off", ws="none", log_config=None)
            servers.append(uvicorn.Server(config))
            await servers[0].serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        wait_until(lambda: bool(servers) and servers[0].started, "the platform listens")
        port = servers[0].servers[0].sockets[0].getsockname()[1]
        with Keisan(f"http://127.0.0.1:{port}", template.secrets["admin"]) as client:
            yield client
    finally:
        servers[0].should_exit = True
        thread.join()
