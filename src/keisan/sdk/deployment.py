"""Deployments of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.base import explain_refusal
from keisan.wire.deployment import DeploymentCreate, DeploymentUpdate, DeploymentView
from keisan.wire.page import Page


class AsyncDeployments:
    """Deployments within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[DeploymentView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[DeploymentView], "/deployments")

    async def get(self, deployment_id: UUID) -> DeploymentView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(DeploymentView, f"/deployments/{deployment_id}")

    async def create(self, body: DeploymentCreate) -> DeploymentView:
        """Create desired state; wait_for_deployment tells when it is fact."""
        return await self._transport.write(DeploymentView, "POST", "/deployments", body)

    async def scale(self, deployment: DeploymentView, replica_count: int) -> DeploymentView:
        """Change how many copies are wanted.

        Raises VersionMismatch if the deployment has changed since it was seen, InvalidInput for a count out of range.
        """
        path = f"/deployments/{deployment.id}"
        with explain_refusal():
            body = DeploymentUpdate(replica_count=replica_count)
        return await self._transport.write(DeploymentView, "PATCH", path, body, version=deployment.version)

    async def delete(self, deployment: DeploymentView) -> DeploymentView:
        """Begin to delete; it is gone once its last replica has stopped. Raises as scale does."""
        path = f"/deployments/{deployment.id}"
        return await self._transport.write(DeploymentView, "DELETE", path, version=deployment.version)


class Deployments(Blocking[AsyncDeployments]):
    """Deployments within the key's scope."""

    list = iterate(AsyncDeployments.list)
    get = wait_for(AsyncDeployments.get)
    create = wait_for(AsyncDeployments.create)
    scale = wait_for(AsyncDeployments.scale)
    delete = wait_for(AsyncDeployments.delete)
