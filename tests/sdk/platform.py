"""HTTP clients for the SDK's tests: of the stage's platform, and of scripted ones."""

from collections.abc import Callable

import httpx

from keisan.sdk.transport import Transport
from tests.api.stage import BASE_URL, Stage, SteppedClock

Answer = Callable[[httpx.Request], httpx.Response]


def connect(stage: Stage, who: str) -> httpx.AsyncClient:
    """Return a client of the stage's platform with somebody's key."""
    headers = {"authorization": f"Bearer {stage.secrets[who]}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(stage.app), base_url=BASE_URL, headers=headers, timeout=30)


def script(answer: Answer) -> httpx.AsyncClient:
    """Return a client whose every request is answered by a function."""
    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url=BASE_URL, timeout=30)


def script_transport(answer: Answer) -> Transport:
    """Return a transport over such a client, whose waits take no time."""
    return Transport(script(answer), SteppedClock())
