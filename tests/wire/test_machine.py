"""Bodies that carry a secret: it crosses, and is not printed."""

import pytest
from pydantic import BaseModel

from keisan.wire.key import KeyCreated
from keisan.wire.machine import JoinTokenCreated, MachineJoin

SECRET = "jt-keisan-secret"


@pytest.mark.parametrize(
    "body",
    [
        MachineJoin(token=SECRET, name="gateway-1", secret_digest="d" * 64),
        JoinTokenCreated.model_construct(token=SECRET),
        KeyCreated.model_construct(secret=SECRET),
    ],
    ids=lambda body: type(body).__name__,
)
def test_secret_crosses_and_is_not_printed(body: BaseModel) -> None:
    assert SECRET in body.model_dump_json()
    assert SECRET not in f"{body!r} {body}"
