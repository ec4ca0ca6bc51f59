"""How a child reaches the API of its parent to ask: one request, whose body and answer are signed letters."""

import base64
import binascii

import httpx

from keisan.domain.errors import Failed, PlatformUnreachable
from keisan.kit.http import HttpTarget, TargetInvalid, open_async_client
from keisan.wire.link_ask import LINK_ASK_PATH, LinkAsk, LinkTold
from keisan.wire.problem import Problem

DIAL_TIMEOUT_S = 5.0
ANSWER_BYTES_MAX = 1024 * 1024


async def ask_platform(url: str, letter: bytes) -> bytes:
    """Send a letter to a platform's API and return the one that answers.

    Raises PlatformUnreachable where none comes, Failed with the other side's words where it refused.
    """
    body = LinkAsk(letter=base64.b64encode(letter).decode())
    try:
        async with open_async_client(HttpTarget(url, timeout_s=DIAL_TIMEOUT_S)) as client:
            answer = await client.post(
                LINK_ASK_PATH, content=body.model_dump_json(), headers={"content-type": "application/json"}
            )
    except TargetInvalid as fault:
        raise Failed(f"the parent's address cannot be used: {fault}") from fault
    except httpx.HTTPError as fault:
        raise PlatformUnreachable(f"{url} does not answer", f"{type(fault).__name__}: {fault}") from fault
    if len(answer.content) > ANSWER_BYTES_MAX:
        raise Failed(f"what answers at {url} is no platform")
    return _read_answer(url, answer)


def _read_answer(url: str, answer: httpx.Response) -> bytes:
    if answer.status_code == 429 or answer.status_code >= 500:
        raise PlatformUnreachable(f"{url} cannot answer now (HTTP {answer.status_code})")
    try:
        if answer.is_success:
            return base64.b64decode(LinkTold.model_validate_json(answer.content).letter, validate=True)
        refusal = Problem.model_validate_json(answer.content)
    except (ValueError, binascii.Error) as fault:
        raise Failed(f"what answers at {url} is no platform", str(fault)) from fault
    raise Failed(f"{url} refused: {refusal.detail}", refusal.code)
