"""Statements: drawn up from the records, and sealed with the root over their receipts; part by part, so that each is short."""

from collections.abc import Callable, Iterable, Mapping
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
    StatementContent,
    StatementHolder,
    StatementLine,
    StatementSpan,
    StatementSum,
    add_sums,
    sum_totals,
)
from keisan.domain.statement_draft import ONE_DAY, OpenSeal, StatementDraft
from keisan.domain.usage import PostedRecord
from keisan.storage.base import Transaction
from keisan.wire.leaf import LeafWriter

EVERYTHING = PlatformScope()
Named = TypeVar("Named", Project, Key, Price, Model, Site)


async def draw_statement(view: Transaction, scope: Scope, holder: StatementHolder, period: Period) -> StatementContent:
    """Return a holder's open statement, as of the journal's last entry; raises NotFound for a holder outside the scope."""
    draft = await begin_draft(view, scope, holder, period)
    while not draft.is_summed:
        draft = await sum_next_day(view, scope, draft)
    return await name_content(view, scope, draft.content)


async def begin_draft(view: Transaction, scope: Scope, holder: StatementHolder, period: Period) -> StatementDraft:
    """Return a draft that ends at the journal's last entry, with late records and adjustments, and no day summed yet."""
    before = await view.statements.find_last(scope, holder, period.first_day)
    sequence, balance_nano = await view.statement_records.get_end(scope, holder)
    after = before.entry_sequence if before else None
    span = StatementSpan(holder, period, after, sequence)
    late = add_sums(await view.statement_records.sum_late(scope, span))
    adjustments = await view.disputes.list_adjustments(scope, span)
    content = StatementContent(
        id=None,
        platform_id=(await view.platform.get()).id,
        holder=holder,
        holder_name="",
        period=period,
        totals=sum_totals(late, adjustments),
        balances=Balances(before.balances.closing_nano if before else 0, balance_nano),
        entry_sequence=sequence,
        records_root=None,
        closed_at=None,
        lines=[StatementLine(each) for each in late],
        adjustments=adjustments,
    )
    draft = StatementDraft(content, before.id if before else None, after)
    return await _pass_empty_days(view, scope, draft)


async def sum_next_day(view: Transaction, scope: Scope, draft: StatementDraft) -> StatementDraft:
    """Return the draft with the next day that has a record summed: a whole month in one statement could take too long."""
    day = draft.next_day
    more = await view.statement_records.sum(scope, replace(draft.span, period=day))
    sums = add_sums([*(line.sum for line in draft.content.lines), *more])
    totals = sum_totals(sums, draft.content.adjustments)
    content = replace(draft.content, lines=[StatementLine(each) for each in sums], totals=totals)
    return await _pass_empty_days(view, scope, replace(draft, content=content, summed_through=day.last_day))


async def _pass_empty_days(view: Transaction, scope: Scope, draft: StatementDraft) -> StatementDraft:
    """Return the draft as of the day before the next one that has a record: most holders have none on most days."""
    if draft.is_summed:
        return draft
    first_day, last_day = draft.next_day.first_day, draft.content.period.last_day
    found = await view.statement_records.find_first_day(scope, replace(draft.span, period=Period(first_day, last_day)))
    if found == first_day:
        return draft
    return replace(draft, summed_through=last_day if found is None else found - ONE_DAY)


async def name_content(view: Transaction, scope: Scope, content: StatementContent) -> StatementContent:
    """Return what a statement says with the names of what it is about; raises NotFound for a holder outside the scope."""
    name = await _find_name(view, scope, content.holder)
    return replace(content, holder_name=name, lines=await _name_lines(view, [line.sum for line in content.lines]))


async def seal_records(view: Transaction, scope: Scope, span: StatementSpan) -> RecordsSeal:
    """Read a span's records in order of id and return their number, sum and root; holds a chunk of them at a time."""
    seal = OpenSeal()
    while not seal.is_whole:
        seal = await seal_chunk(view, scope, span, seal)
    return seal.close()


async def seal_chunk(view: Transaction, scope: Scope, span: StatementSpan, seal: OpenSeal) -> OpenSeal:
    """Return the seal with the chunk of records that comes next."""
    page = PageRequest(seal.after, STATEMENT_CHUNK_RECORDS_MAX)
    found = await view.statement_records.list(scope, span, page)
    # A writer for each chunk, for it keeps the contexts that it has seen, and each chunk brings its own.
    builder, writer, amount_nano = RootBuilder(seal.record_count, seal.roots), LeafWriter(), seal.amount_nano
    is_customer = span.holder.kind is HolderKind.CUSTOMER
    for posted in found.items:
        builder.add(writer.hash(posted))
        amount_nano += posted.record.amount_nano if is_customer else posted.charge.provider_nano
    return OpenSeal(
        record_count=seal.record_count + len(found.items),
        amount_nano=amount_nano,
        roots=builder.roots,
        after=found.items[-1].record.id if found.items else seal.after,
        is_whole=found.next_after is None,
    )


def check_seal(content: StatementContent, seal: RecordsSeal) -> None:
    """Raise InvariantBroken unless the sums of the lines are those of the records that were read one by one."""
    totals = content.totals
    if (totals.record_count, totals.amount_nano) != (seal.record_count, seal.amount_nano):
        raise InvariantBroken("a statement's lines are not the sum of its records", f"{totals} and {seal}")


def name_leaves(records: Iterable[PostedRecord]) -> list[tuple[UUID, str]]:
    """Return the id and the receipt's leaf of each record."""
    writer = LeafWriter()
    return [(posted.record.id, writer.write(posted).decode()) for posted in records]


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
