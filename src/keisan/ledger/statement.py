"""Statements: drawn up from the records, and sealed with the root over their receipts."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from keisan.domain.access import PlatformScope, Scope
from keisan.domain.errors import InvariantBroken
from keisan.domain.ids import OrganizationId, ProviderId
from keisan.domain.key import Key
from keisan.domain.limits import STATEMENT_CHUNK_RECORDS_MAX
from keisan.domain.merkle import RootBuilder
from keisan.domain.model import Model
from keisan.domain.page import PageRequest
from keisan.domain.price import Price
from keisan.domain.project import Project
from keisan.domain.site import Site
from keisan.domain.statement import (
    Balances,
    HolderKind,
    Period,
    RecordsSeal,
    Statement,
    StatementContent,
    StatementHolder,
    StatementLine,
    StatementSpan,
    StatementSum,
    sum_totals,
)
from keisan.domain.usage import PostedRecord
from keisan.storage.base import Transaction
from keisan.wire.leaf import LeafWriter

EVERYTHING = PlatformScope()
Named = TypeVar("Named", Project, Key, Price, Model, Site)


async def draw_statement(view: Transaction, scope: Scope, holder: StatementHolder, period: Period) -> StatementContent:
    """Return a holder's open statement, as of the journal's last entry; raises NotFound for a holder outside the scope."""
    before = await view.statements.find_last(scope, holder, period.first_day)
    sequence, balance_nano = await view.statement_records.get_end(scope, holder)
    span = StatementSpan(holder, period, before.entry_sequence if before else None, sequence)
    sums = await view.statement_records.sum(scope, span)
    adjustments = await view.disputes.list_adjustments(scope, span)
    return StatementContent(
        id=None,
        platform_id=(await view.platform.get()).id,
        holder=holder,
        holder_name=await _find_name(view, scope, holder),
        period=period,
        totals=sum_totals(sums, adjustments),
        balances=Balances(before.balances.closing_nano if before else 0, balance_nano),
        entry_sequence=sequence,
        records_root=None,
        closed_at=None,
        lines=await _name_lines(view, sums),
        adjustments=adjustments,
    )


async def seal_records(view: Transaction, scope: Scope, span: StatementSpan) -> RecordsSeal:
    """Read a span's records in order of id and return their number, sum and root; holds a chunk of them at a time."""
    builder, count, amount_nano = RootBuilder(), 0, 0
    is_customer = span.holder.kind is HolderKind.CUSTOMER
    async for chunk in _walk_chunks(view, scope, span):
        # A writer for each chunk, for it keeps the contexts that it has seen, and each chunk brings its own.
        writer = LeafWriter()
        for posted in chunk:
            builder.add(writer.hash(posted))
            amount_nano += posted.record.amount_nano if is_customer else posted.charge.provider_nano
        count += len(chunk)
    return RecordsSeal(count, amount_nano, builder.build().hex())


def check_seal(content: StatementContent, seal: RecordsSeal) -> None:
    """Raise InvariantBroken unless the sums of the lines are those of the records that were read one by one."""
    totals = content.totals
    if (totals.record_count, totals.amount_nano) != (seal.record_count, seal.amount_nano):
        raise InvariantBroken("a statement's lines are not the sum of its records", f"{totals} and {seal}")


def name_leaves(records: Iterable[PostedRecord]) -> list[tuple[UUID, str]]:
    """Return the id and the receipt's leaf of each record."""
    writer = LeafWriter()
    return [(posted.record.id, writer.write(posted).decode()) for posted in records]


def find_span(content: StatementContent, before: Statement | None) -> StatementSpan:
    """Return which records a drawn statement holds; `before` is the holder's last statement before it."""
    after = before.entry_sequence if before else None
    return StatementSpan(content.holder, content.period, after, content.entry_sequence)


async def _walk_chunks(view: Transaction, scope: Scope, span: StatementSpan) -> AsyncIterator[Sequence[PostedRecord]]:
    page: PageRequest | None = PageRequest(limit=STATEMENT_CHUNK_RECORDS_MAX)
    while page is not None:
        found = await view.statement_records.list(scope, span, page)
        yield found.items
        page = None if found.next_after is None else replace(page, after=found.next_after)


async def _find_name(view: Transaction, scope: Scope, holder: StatementHolder) -> str:
    if holder.kind is HolderKind.CUSTOMER:
        return (await view.organizations.get(scope, OrganizationId(holder.id))).name
    return (await view.providers.get(scope, ProviderId(holder.id))).name


async def _name_lines(view: Transaction, sums: Iterable[StatementSum]) -> list[StatementLine]:
    """Return sums with the names of what they are by: read as the platform, for the sums are in the asker's scope."""
    lines = list(sums)
    projects = _index(
        await view.projects.list_by_ids(EVERYTHING, {each.project_id for each in lines if each.project_id})
    )
    keys = _index(await view.keys.list_by_ids(EVERYTHING, {each.key_id for each in lines if each.key_id}))
    models = _index(await view.models.list_by_ids(EVERYTHING, {each.model_id for each in lines}))
    prices = await view.prices.list_by_ids(EVERYTHING, {each.price_id for each in lines if each.price_id})
    has_sites = any(each.site_id for each in lines)
    sites = _index(await view.sites.list_all(EVERYTHING)) if has_sites else {}
    named = []
    for each in lines:
        price = _find(prices, each.price_id)
        model = _find(models, each.model_id)
        named.append(
            StatementLine(
                sum=each,
                project_name=_tell(_find(projects, each.project_id), lambda found: found.name),
                key_name=_tell(_find(keys, each.key_id), lambda found: found.name),
                site_name=_tell(_find(sites, each.site_id), lambda found: found.name),
                model_name=_tell(model, lambda found: found.facts.name),
                price_version=price.version if price else None,
                nano_per_million=price.nano_per_million if price else None,
            )
        )
    return named


def _index(found: Iterable[Named]) -> dict[UUID, Named]:
    return {noun.id: noun for noun in found}


def _find(found: Mapping[UUID, Named], noun_id: UUID | None) -> Named | None:
    return None if noun_id is None else found.get(noun_id)


def _tell(noun: Named | None, read: Callable[[Named], str]) -> str:
    return "" if noun is None else read(noun)
