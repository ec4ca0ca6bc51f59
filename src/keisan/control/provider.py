"""Commands on providers: create."""

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.event import EventDraft
from keisan.domain.ids import ProviderId
from keisan.domain.provider import Provider
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.provider import ProviderCreate


async def create_provider(control: Control, principal: Principal, body: ProviderCreate) -> Provider:
    """Create a provider; raises PermissionDenied, or AlreadyExists when the name is taken."""
    principal.require(Right.WRITE_PROVIDERS)
    provider = build_provider(control, body.name)
    async with control.storage.write() as transaction:
        await insert_provider(transaction, name_actor(principal), provider)
    return provider


def build_provider(control: Control, name: str) -> Provider:
    """Return a new provider that is not stored yet."""
    return Provider(
        id=ProviderId(create_id()),
        platform_id=control.platform_id,
        name=name,
        version=1,
        created_at=control.clock.now(),
    )


async def insert_provider(transaction: Transaction, actor: str, provider: Provider) -> None:
    """Write a provider and its event; raises AlreadyExists when the name is taken."""
    await transaction.providers.insert(provider)
    await transaction.events.append(EventDraft(actor, "provider.created", provider.id, {"name": provider.name}))
