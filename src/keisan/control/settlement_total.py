"""Hourly totals: local usage of one hour and region in sums, told to the parent with the root over raw records, which stay here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keisan.control.context import Control
from keisan.control.office import Office
from keisan.control.settlement_period import check_period_again
from keisan.control.settlement_sign import draft_settlement_letter, open_letter
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import ModelId, OrganizationId, PlatformId, SiteId
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.merkle import compute_root, hash_leaf
from keisan.domain.price import TokenClass
from keisan.domain.settlement import HourlyTotal, SettlementKey, ToldTotal, TotalLine
from keisan.domain.usage import PostedRecord
from keisan.federation.rule_settlement import choose_region
from keisan.kit.ids import create_id
from keisan.ledger.receipt import hash_leaves, order_records
from keisan.storage.base import Transaction
from keisan.wire.letter import LetterDraft
from keisan.wire.settlement import read_total, write_total


@dataclass(slots=True)
class _Sum:
    """What one model came to on one chip."""

    record_count: int = 0
    quantities: dict[TokenClass, int] = field(default_factory=dict)

    def add(self, quantities: Mapping[TokenClass, int]) -> None:
        """Count one record."""
        self.record_count += 1
        for token_class, count in quantities.items():
            self.quantities[token_class] = self.quantities.get(token_class, 0) + count


@dataclass(frozen=True, slots=True)
class HourNames:
    """What is told of ids that mean nothing elsewhere: models by name, sites by region."""

    models: Mapping[ModelId, str]
    regions: Mapping[SiteId, str]


def sum_hour(author: PlatformId, hour: str, records: Iterable[PostedRecord], names: HourNames) -> list[HourlyTotal]:
    """Return the totals of an hour's records, one for each region, in order of region."""
    regions: dict[str, list[PostedRecord]] = {}
    for posted in records:
        regions.setdefault(names.regions[posted.record.context.site_id], []).append(posted)
    return [_sum_region(author, hour, region, regions[region], names) for region in sorted(regions)]


def _sum_region(
    author: PlatformId, hour: str, region: str, records: list[PostedRecord], names: HourNames
) -> HourlyTotal:
    sums: dict[tuple[str, str], _Sum] = {}
    organizations: set[OrganizationId] = set()
    for posted in records:
        context = posted.record.context
        organizations.add(context.organization_id)
        sums.setdefault((names.models[context.model_id], posted.charge.chip), _Sum()).add(posted.record.quantities)
    lines = [
        TotalLine(model, chip, each.record_count, dict(sorted(each.quantities.items())))
        for (model, chip), each in sorted(sums.items())
    ]
    return HourlyTotal(
        id=create_id(),
        author=author,
        hour=hour,
        region=region,
        organization_count=len(organizations),
        record_count=len(records),
        records_root=compute_root(hash_leaves(order_records(records))).hex(),
        lines=tuple(lines),
    )


def tell_total(control: Control, total: HourlyTotal, audience: PlatformId) -> ToldTotal:
    """Return a total with the bytes that are told."""
    body = write_total(total)
    return ToldTotal(total, audience, body, hash_leaf(body), control.clock.now())


def draft_total(control: Control, told: ToldTotal) -> LetterDraft:
    """Return the letter that tells a total."""
    return draft_settlement_letter(control, LetterKind.TOTALS, told.body, told.audience, told.total.period)


async def apply_totals(transaction: Transaction, office: Office, _arrival: Arrival, letter: Letter) -> None:
    """Keep another platform's hourly total as it was told.

    Raises InvalidInput for a total of another author than the letter's, or of a region that is not its author's.
    """
    control = office.control
    correspondence = open_letter(office, letter)
    total = read_total(letter.body)
    if total.author != letter.author or letter.author == control.platform_id:
        raise InvalidInput("a platform tells its own totals", "platform_id")
    region = choose_region(correspondence.standing.region, total.region)
    if region != total.region:
        raise InvalidInput(f"this platform's region is {region}, not {total.region}", "region")
    told = ToldTotal(total, control.platform_id, letter.body, hash_leaf(letter.body), control.clock.now())
    key = SettlementKey(total.author, control.platform_id, total.period)
    await transaction.settlements.take(key, control.clock.now())
    if await transaction.totals.insert(told):
        await check_period_again(transaction, control, key)
