"""Replicas of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.replica import ReplicaLog, ReplicaView


class AsyncReplicas:
    """Replicas within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, deployment_id: UUID | None = None) -> AsyncGenerator[ReplicaView, None]:
        """Iterate over all, stopped ones too, or over one deployment's that are not stopped."""
        return self._transport.walk(Page[ReplicaView], "/replicas", {"deployment_id": deployment_id})

    async def get(self, replica_id: UUID) -> ReplicaView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(ReplicaView, f"/replicas/{replica_id}")

    async def read_log(self, replica_id: UUID) -> ReplicaLog:
        """Return the last lines that the replica's engine wrote."""
        return await self._transport.fetch(ReplicaLog, f"/replicas/{replica_id}/log")


class Replicas(Blocking[AsyncReplicas]):
    """Replicas within the key's scope."""

    list = iterate(AsyncReplicas.list)
    get = wait_for(AsyncReplicas.get)
    read_log = wait_for(AsyncReplicas.read_log)
