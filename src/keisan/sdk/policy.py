"""Policies: what one would say, before it is set."""

from keisan.sdk.blocking import Blocking, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.policy import PolicyView


class AsyncPolicies:
    """Policies are set on organizations, projects and keys; here they are tried."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def check(self, policy: str) -> PolicyView:
        """Return a policy normalised, with what it says of each chip; raises InvalidInput if it could not be set."""
        return await self._transport.fetch(PolicyView, "/policies/check", {"policy": policy})


class Policies(Blocking[AsyncPolicies]):
    """Policies are set on organizations, projects and keys; here they are tried."""

    check = wait_for(AsyncPolicies.check)
