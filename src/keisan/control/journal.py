"""The journal's beginning."""

from keisan.control.context import Control


async def open_journal(control: Control) -> None:
    """Write the journal's first entry if there is none; raises StorageUnavailable if nothing was committed."""
    async with control.storage.write() as transaction:
        await control.journal.write_opening(transaction)
