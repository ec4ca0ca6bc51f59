"""Providers by name or id, for commands on what is theirs."""

from keisan.cli.session import Session
from keisan.domain.errors import NotFound
from keisan.sdk import ProviderView


async def choose_provider(session: Session, wanted: str) -> ProviderView:
    """Return the provider of a name or id; raises NotFound naming those there are."""
    found = [line async for line in session.keisan.providers.list()]
    for line in found:
        if wanted in (line.name, str(line.id)):
            return line
    raise NotFound(f"there is no provider '{wanted}'; there are: {', '.join(line.name for line in found) or 'none'}")
