"""What is kept for links is dropped once both sides have signed for its period, and not before: until then either may need it again."""

from datetime import datetime, timedelta

from keisan.control.link_place import load_neighbourhood
from keisan.domain.access import PlatformScope
from keisan.domain.limits import CROSS_LATENESS_S_MAX
from keisan.domain.link_log import SettledPeriod
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()


async def list_trimmed(transaction: Transaction) -> list[SettledPeriod]:
    """Return the periods that both sides have signed for."""
    keys = await transaction.settlements.list_countersigned(EVERYTHING)
    return [SettledPeriod(key.author, key.audience, key.period) for key in keys]


async def trim_logs(transaction: Transaction, now: datetime) -> None:
    """Drop from the logs of all links what belongs to such periods, and what belongs to none and is older than late records are."""
    settled, kept_after = await list_trimmed(transaction), now - timedelta(seconds=CROSS_LATENESS_S_MAX)
    for link in (await load_neighbourhood(transaction)).links:
        await transaction.outgoing_logs.trim(link.id, settled, kept_after)
        await transaction.incoming_logs.trim(link.id, settled, kept_after)
