"""One platform for the tests that leave it as they found it; those that break things start their own."""

from collections.abc import Iterator

import openai
import pytest

from tests.e2e.stack import Stack, run_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A platform as `keisan up` makes it at its first start."""
    with run_stack() as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    """The official client with the first key and without its own repeats, so that each fault is seen."""
    with openai.OpenAI(base_url=f"{stack.gateway_url}/v1", api_key=stack.api_key, max_retries=0) as opened:
        yield opened
