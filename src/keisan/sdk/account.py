"""Accounts of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.account import AccountView
from keisan.wire.page import Page


class AsyncAccounts:
    """Accounts within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[AccountView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[AccountView], "/accounts")

    async def get(self, account_id: UUID) -> AccountView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(AccountView, f"/accounts/{account_id}")


class Accounts(Blocking[AsyncAccounts]):
    """Accounts within the key's scope."""

    list = iterate(AsyncAccounts.list)
    get = wait_for(AsyncAccounts.get)
