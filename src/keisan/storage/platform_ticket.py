"""Platform tickets of both sides: an organization sees its own. Whoever changes one has locked its row."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Table, Text, bindparam, select, tuple_, update

from keisan.domain.access import Scope
from keisan.domain.ids import ModelId, OrganizationId, PriceId, TicketId
from keisan.domain.platform_ticket import CreditSide, PinnedPrice, PlatformTicket, PlatformTicketState
from keisan.storage.price import decode_prices, encode_prices
from keisan.storage.repository import (
    FIXED_COLUMNS,
    PARAMETERS_PER_STATEMENT_MAX,
    FixedRepository,
    Visibility,
    limit_to_owner,
    split_chunks,
)
from keisan.storage.schema import (
    AnySelect,
    EnumText,
    ExactInteger,
    Instant,
    Structure,
    build_column,
    build_id,
    metadata,
)


def encode_pinned(prices: Sequence[PinnedPrice]) -> list[dict[str, object]]:
    """Return pinned prices as JSON keeps them exactly."""
    return [
        {
            "model_id": str(each.model_id),
            "model": each.model,
            "price_id": str(each.price_id),
            "nano_per_million": encode_prices(each.nano_per_million),
            "home_nano_per_million": None
            if each.home_nano_per_million is None
            else encode_prices(each.home_nano_per_million),
        }
        for each in prices
    ]


def decode_pinned(stored: Sequence[Mapping[str, Any]]) -> tuple[PinnedPrice, ...]:
    """Return what encode_pinned was given."""
    return tuple(
        PinnedPrice(
            model_id=ModelId(UUID(each["model_id"])),
            model=each["model"],
            price_id=PriceId(UUID(each["price_id"])),
            nano_per_million=decode_prices(each["nano_per_million"]),
            home_nano_per_million=decode_prices(each["home_nano_per_million"])
            if each["home_nano_per_million"] is not None
            else None,
        )
        for each in stored
    )


platform_ticket = Table(
    "platform_ticket",
    metadata,
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    build_column("counterparty_id", Text()),
    build_column("side", EnumText(CreditSide)),
    build_id("organization_id", ForeignKey("organization.id")),
    build_column("currency", Text()),
    build_column("state", EnumText(PlatformTicketState)),
    build_column("policy", Text()),
    build_column("prices", Structure(encode_pinned, decode_pinned)),
    build_column("rate_ppm", ExactInteger()),
    build_column("epoch", BigInteger()),
    build_column("number", BigInteger()),
    build_column("ceiling_nano", ExactInteger()),
    build_column("returned_nano", ExactInteger()),
    build_column("spent_nano", ExactInteger()),
    build_column("waiting_nano", ExactInteger()),
    build_column("charged_nano", ExactInteger()),
    build_column("lease_s", BigInteger()),
    build_column("expires_at", Instant()),
    build_column("heard_at", Instant()),
    build_column("created_at", Instant()),
    build_column("closed_at", Instant(), is_nullable=True),
    Index(None, "organization_id", "state"),
)
IS_OPEN = platform_ticket.c.state != PlatformTicketState.CLOSED
# Set once, when the ticket is opened.
BIRTH_COLUMNS = FIXED_COLUMNS | {"counterparty_id", "side", "organization_id", "currency"}
CHANGING_COLUMNS = tuple(name for name in platform_ticket.columns.keys() if name not in BIRTH_COLUMNS)  # noqa: SIM118  # no dict


class PlatformTicketRepository(FixedRepository[PlatformTicket, TicketId]):
    """Platform tickets by id and by wallet."""

    table = platform_ticket
    noun_type = PlatformTicket
    visibility = Visibility(organization=limit_to_owner(platform_ticket.c.organization_id))

    async def find_many(self, scope: Scope, ids: Iterable[TicketId]) -> Mapping[TicketId, PlatformTicket]:
        """Return those that there are, closed ones too."""
        return {each.id: each for each in await self._list_ids(scope, ids)}

    async def list_open(self, scope: Scope, organization_ids: Iterable[OrganizationId]) -> Sequence[PlatformTicket]:
        """Return those of these organizations that are not closed, in order of id."""
        found: tuple[PlatformTicket, ...] = ()
        for chunk in split_chunks(sorted(set(organization_ids)), PARAMETERS_PER_STATEMENT_MAX):
            found += await self._list_where(scope, IS_OPEN, platform_ticket.c.organization_id.in_(chunk))
        return found

    async def list_in_force(self, scope: Scope) -> Sequence[PlatformTicket]:
        """Return all that are open, and not returning, in order of id."""
        return await self._list_where(scope, platform_ticket.c.state == PlatformTicketState.OPEN)

    async def lock(self, ids: Iterable[TicketId]) -> Mapping[TicketId, PlatformTicket]:
        """Return those that there are, closed ones too, locked until commit in order of id."""
        found: dict[TicketId, PlatformTicket] = {}
        for chunk in split_chunks(sorted(set(ids)), PARAMETERS_PER_STATEMENT_MAX):
            found |= await self._lock(select(platform_ticket).where(platform_ticket.c.id.in_(chunk)))
        return found

    async def lock_open(self, wallets: Iterable[tuple[OrganizationId, str]]) -> Mapping[TicketId, PlatformTicket]:
        """Return those on wallets (owner and currency) that are not closed, locked as `lock` does."""
        wanted = sorted(set(wallets))
        if not wanted:
            return {}
        on_wallets = tuple_(platform_ticket.c.organization_id, platform_ticket.c.currency).in_(wanted)
        return await self._lock(select(platform_ticket).where(IS_OPEN, on_wallets))

    async def update_many(self, tickets: Sequence[PlatformTicket]) -> None:
        """Write tickets that this transaction has locked."""
        if not tickets:
            return
        values: dict[str, object] = {name: bindparam(f"new_{name}") for name in CHANGING_COLUMNS}
        statement = update(platform_ticket).where(platform_ticket.c.id == bindparam("ticket_id")).values(values)
        rows: list[dict[str, object]] = [
            {"ticket_id": each.id, **{f"new_{name}": getattr(each, name) for name in CHANGING_COLUMNS}}
            for each in tickets
        ]
        await self._connection.change(statement, rows)

    async def _lock(self, statement: AnySelect) -> dict[TicketId, PlatformTicket]:
        rows = await self._connection.fetch_locked(statement.order_by(platform_ticket.c.id))
        return {row["id"]: PlatformTicket(**row) for row in rows}
