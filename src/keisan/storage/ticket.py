"""Tickets: an organization sees its own. Whoever changes one has locked its row, wallets before tickets."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Boolean, ForeignKey, Index, Table, Text, bindparam, or_, select, tuple_, update

from keisan.domain.access import Scope
from keisan.domain.ids import MachineId, OrganizationId, TicketId
from keisan.domain.ticket import Ticket, TicketState
from keisan.storage.repository import (
    FIXED_COLUMNS,
    PARAMETERS_PER_STATEMENT_MAX,
    FixedRepository,
    Visibility,
    limit_to_owner,
    split_chunks,
)
from keisan.storage.schema import AnySelect, EnumText, ExactInteger, Instant, build_column, build_id, metadata

ticket = Table(
    "ticket",
    metadata,
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    build_id("organization_id", ForeignKey("organization.id")),
    build_id("project_id", ForeignKey("project.id"), is_nullable=True),
    build_id("key_id", ForeignKey("key.id"), is_nullable=True),
    build_column("currency", Text()),
    build_id("gateway_id", ForeignKey("machine.id")),
    build_id("incarnation"),
    build_column("state", EnumText(TicketState)),
    build_column("credit_nano", ExactInteger()),
    build_column("returned_nano", ExactInteger()),
    build_column("spent_nano", ExactInteger()),
    build_column("reserved_nano", ExactInteger()),
    build_column("posted_nano", ExactInteger()),
    build_column("give_back_nano", ExactInteger()),
    build_column("wanted_nano", ExactInteger()),
    build_column("wanting_since", Instant(), is_nullable=True),
    build_column("is_contested", Boolean()),
    build_column("expires_at", Instant()),
    build_column("created_at", Instant()),
    build_column("closed_at", Instant(), is_nullable=True),
    Index(None, "gateway_id", "state"),
    Index(None, "organization_id", "state"),
)
IS_OPEN = ticket.c.state == TicketState.OPEN
# Set once, when the ticket is opened.
BIRTH_COLUMNS = FIXED_COLUMNS | {"organization_id", "project_id", "key_id", "currency", "gateway_id", "incarnation"}
CHANGING_COLUMNS = tuple(name for name in ticket.columns.keys() if name not in BIRTH_COLUMNS)  # noqa: SIM118  # no dict


class TicketRepository(FixedRepository[Ticket, TicketId]):
    """Tickets by id, by gateway and by wallet."""

    table = ticket
    noun_type = Ticket
    visibility = Visibility(organization=limit_to_owner(ticket.c.organization_id))

    async def lock(self, ids: Iterable[TicketId]) -> Mapping[TicketId, Ticket]:
        """Return those that there are, closed ones too, locked until commit in order of id."""
        found: dict[TicketId, Ticket] = {}
        for chunk in split_chunks(sorted(set(ids)), PARAMETERS_PER_STATEMENT_MAX):
            found |= await self._lock(select(ticket).where(ticket.c.id.in_(chunk)))
        return found

    async def lock_open(
        self, gateway_id: MachineId, wallets: Iterable[tuple[OrganizationId, str]]
    ) -> Mapping[TicketId, Ticket]:
        """Return the open tickets of a gateway and those on wallets, locked until commit in order of id."""
        on_wallets = tuple_(ticket.c.organization_id, ticket.c.currency).in_(sorted(set(wallets)))
        return await self._lock(select(ticket).where(IS_OPEN, or_(ticket.c.gateway_id == gateway_id, on_wallets)))

    async def list_open(self, scope: Scope, organization_ids: Iterable[OrganizationId]) -> tuple[Ticket, ...]:
        """Return the open tickets of these organizations."""
        found: tuple[Ticket, ...] = ()
        for chunk in split_chunks(sorted(set(organization_ids)), PARAMETERS_PER_STATEMENT_MAX):
            found += await self._list_where(scope, IS_OPEN, ticket.c.organization_id.in_(chunk))
        return found

    async def update_many(self, tickets: Sequence[Ticket]) -> None:
        """Write tickets that this transaction has locked."""
        if not tickets:
            return
        values: dict[str, object] = {name: bindparam(f"new_{name}") for name in CHANGING_COLUMNS}
        statement = update(ticket).where(ticket.c.id == bindparam("ticket_id")).values(values)
        rows: list[dict[str, object]] = [
            {"ticket_id": each.id, **{f"new_{name}": getattr(each, name) for name in CHANGING_COLUMNS}}
            for each in tickets
        ]
        await self._connection.change(statement, rows)

    async def _lock(self, statement: AnySelect) -> dict[TicketId, Ticket]:
        rows = await self._connection.fetch_locked(statement.order_by(ticket.c.id))
        return {row["id"]: Ticket(**row) for row in rows}
