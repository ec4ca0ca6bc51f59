"""Records of facilities: a provider sees those of its own sites. One for each site and day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date

from sqlalchemy import BigInteger, Date, ForeignKey, Table, Text, UniqueConstraint, select, tuple_

from keisan.domain.access import Scope
from keisan.domain.facility import Facility, FacilityFigures, FacilityFilter
from keisan.domain.ids import FacilityId, SiteId
from keisan.domain.page import PageOf, PageRequest
from keisan.storage.repository import (
    PAIRS_PER_STATEMENT_MAX,
    Condition,
    TableRepository,
    Visibility,
    cut_page,
    order_page,
    split_chunks,
)
from keisan.storage.schema import (
    AnyRow,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)
from keisan.storage.site import limit_to_sites, site

FIGURES = tuple(field.name for field in fields(FacilityFigures))
COUNTS = tuple(name for name in FIGURES if name not in ("address", "ports"))


def encode_ports(ports: Mapping[str, int]) -> dict[str, int]:
    """Return ports by speed as JSON knows them."""
    return dict(ports)


facility = Table(
    "facility",
    metadata,
    *build_noun_columns(),
    build_id("site_id", ForeignKey("site.id")),
    build_column("day", Date()),
    build_column("measured_at", Instant()),
    build_id("recorded_by"),
    build_column("recorded_at", Instant()),
    build_column("address", Text(), is_nullable=True),
    build_column("ports", Structure(encode_ports, dict), is_nullable=True),
    *(build_column(name, BigInteger(), is_nullable=True) for name in COUNTS),
    UniqueConstraint("site_id", "day"),
)


class FacilityRepository(TableRepository[Facility, FacilityId]):
    """Records by id, and by site and day."""

    table = facility
    noun_type = Facility
    unique = "day"
    visibility = Visibility(provider=limit_to_sites(facility.c.site_id))

    def _to_row(self, noun: Facility) -> dict[str, object]:
        own = (column.name for column in facility.columns if column.name not in FIGURES)
        return {name: getattr(noun, name) for name in own} | {name: getattr(noun.figures, name) for name in FIGURES}

    def _to_noun(self, row: AnyRow) -> Facility:
        own = {name: value for name, value in row.items() if name not in FIGURES}
        return Facility(**own, figures=FacilityFigures(**{name: row[name] for name in FIGURES}))

    async def list_filtered(self, scope: Scope, wanted: FacilityFilter, page: PageRequest) -> PageOf[Facility]:
        """Return a page of those that are wanted, in order of id."""
        statement = self._select(scope).where(*_limit(wanted))
        rows = await self._connection.fetch_all(order_page(statement, facility.c.id, page))
        return cut_page([self._to_noun(row) for row in rows], page, lambda noun: noun.id)

    async def list_between(self, scope: Scope, wanted: FacilityFilter) -> Sequence[Facility]:
        """Return all that are wanted, in order of day and site."""
        statement = self._select(scope).where(*_limit(wanted)).order_by(facility.c.day, facility.c.site_id)
        return tuple(self._to_noun(row) for row in await self._connection.fetch_all(statement))

    async def list_days(
        self, scope: Scope, pairs: Iterable[tuple[SiteId, date]]
    ) -> Mapping[tuple[SiteId, date], Facility]:
        """Return the records of these sites and days, as far as there are."""
        found: dict[tuple[SiteId, date], Facility] = {}
        for chunk in split_chunks(sorted(set(pairs)), PAIRS_PER_STATEMENT_MAX):
            records = await self._list_where(scope, tuple_(facility.c.site_id, facility.c.day).in_(chunk))
            found |= {(record.site_id, record.day): record for record in records}
        return found

    async def find_latest(self, scope: Scope, site_id: SiteId) -> Facility | None:
        """Return the record of a site's last day, None without one."""
        of_site = self._select(scope).where(facility.c.site_id == site_id)
        row = await self._connection.fetch_first(of_site.order_by(facility.c.day.desc()).limit(1))
        return None if row is None else self._to_noun(row)


def _limit(wanted: FacilityFilter) -> list[Condition]:
    conditions: list[Condition] = []
    if wanted.region is not None:
        conditions.append(facility.c.site_id.in_(select(site.c.id).where(site.c.region == wanted.region)))
    if wanted.since is not None:
        conditions.append(facility.c.day >= wanted.since)
    if wanted.until is not None:
        conditions.append(facility.c.day <= wanted.until)
    return conditions
