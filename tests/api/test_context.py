"""The context of requests: found in the scope, refused where it is missing."""

import pytest
from fastapi import Request

from keisan.api.context import CALLER_KEY, Caller, get_caller, get_context
from keisan.domain.access import MachineKind, PlatformScope, Principal
from keisan.domain.errors import InvariantBroken, PermissionDenied
from keisan.domain.key import Secret
from tests.api.stage import Stage


def test_nothing_is_made_up() -> None:
    request = Request({"type": "http", CALLER_KEY: "admin"})
    with pytest.raises(InvariantBroken):
        get_caller(request)
    with pytest.raises(InvariantBroken):
        get_context(request)


async def test_reading_needs_the_right(stage: Stage) -> None:
    machine = stage.machines[MachineKind.GATEWAY].to_principal()
    caller = Caller(stage.control, machine, Secret("x"))
    assert caller.scope == PlatformScope()
    with pytest.raises(PermissionDenied):
        async with caller.read():
            pass
    reader = Caller(stage.control, stage.keys["auditor"].to_principal(), Secret("x"))
    async with reader.read() as view:
        assert (await view.platform.get()).name == "small"
    assert isinstance(reader.principal, Principal)
