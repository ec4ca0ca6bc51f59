"""Models of the catalogue of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.model import ModelCreate, ModelView
from keisan.wire.page import Page


class AsyncModels:
    """Models of the catalogue within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[ModelView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[ModelView], "/models")

    async def get(self, model_id: UUID) -> ModelView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(ModelView, f"/models/{model_id}")

    async def create(self, body: ModelCreate) -> ModelView:
        """Create a catalogue entry; raises AlreadyExists if the name is taken."""
        return await self._transport.write(ModelView, "POST", "/models", body)

    async def find(self, name: str) -> ModelView | None:
        """Return the model of this name, None if there is none."""
        async for model in self.list():
            if model.name == name:
                return model
        return None


class Models(Blocking[AsyncModels]):
    """Models of the catalogue within the key's scope."""

    list = iterate(AsyncModels.list)
    get = wait_for(AsyncModels.get)
    create = wait_for(AsyncModels.create)
    find = wait_for(AsyncModels.find)
