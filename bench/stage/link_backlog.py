"""What piles up at a province while its link is cut: batches of records of calls that it served, and totals of its own usage.

All of it is written by what writes it in a platform. Made up: the calls, and that a batch's second is passed over at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from keisan.control.settlement_batch import send_batches, take_pair
from keisan.control.settlement_sign import send_settlement
from keisan.control.settlement_total import draft_total, tell_total
from keisan.domain.cross_record import RecordEnd
from keisan.domain.ids import PlatformId
from keisan.domain.platform_ticket import PinnedPrice
from keisan.domain.price import TokenClass
from keisan.domain.settlement import HourlyTotal, SettlementKey, TotalLine
from keisan.kit.ids import create_id
from keisan.ledger.cross_record import keep_own_record
from keisan.storage.base import Transaction
from stage.link_pair import REGION, Side
from tests.domain.credit_samples import create_platform_ticket
from tests.domain.samples import ORGANIZATION_ID, PRICE_ID, create_record_id, name_id
from tests.factories import create_model, create_organization
from tests.federation.cross_samples import PRICES, create_usage

# Calls that cross within the second in which a batch is signed, and models of a region.
BATCH_RECORDS = 4
TOTAL_MODELS = 100
TICKET_NANO = 10**20
TRANSACTION_BATCHES = 32


@dataclass(frozen=True, slots=True)
class Backlog:
    """How long a link was cut, and how many batches were signed in an hour."""

    hours: int
    batches_per_h: int

    @property
    def batches(self) -> int:
        """Return how many batches there are."""
        return self.hours * self.batches_per_h

    @property
    def letters(self) -> int:
        """Return how many letters wait: the batches, and one total an hour."""
        return self.batches + self.hours


async def plant_terms(side: Side, other_id: PlatformId, counts_from: datetime) -> None:
    """Give a platform the model, and a ticket that pins its price and never runs out: both ends of a call know them."""
    own_id = side.town.id
    model, organization = create_model("smol"), create_organization()
    ticket = create_platform_ticket(
        ORGANIZATION_ID,
        id=name_id(60),
        platform_id=own_id,
        counterparty_id=other_id,
        prices=(PinnedPrice(model.id, "smol", PRICE_ID, PRICES),),
        ceiling_nano=TICKET_NANO,
        expires_at=counts_from + timedelta(days=30),
        heard_at=counts_from,
        created_at=counts_from,
    )
    async with side.town.storage.write() as transaction:
        await transaction.models.insert(replace(model, platform_id=own_id))
        await transaction.organizations.insert(replace(organization, id=ORGANIZATION_ID, platform_id=own_id))
        await transaction.platform_tickets.insert(ticket)


async def write_backlog(child: Side, parent_id: PlatformId, backlog: Backlog) -> None:
    """Write what a child would have told its parent in so many hours until now."""
    begins_at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=backlog.hours)
    for hour in range(backlog.hours):
        at = begins_at + timedelta(hours=hour)
        for seconds in _split_hour(backlog.batches_per_h):
            async with child.town.storage.write() as transaction:
                for second in seconds:
                    await _write_batch(transaction, child, parent_id, at + timedelta(seconds=second))
        async with child.town.storage.write() as transaction:
            await _write_total(transaction, child, parent_id, f"{at:%Y-%m-%dT%H}")


def _split_hour(batches: int) -> Iterator[list[float]]:
    seconds = [number * 3600 / batches for number in range(batches)]
    for start in range(0, batches, TRANSACTION_BATCHES):
        yield seconds[start : start + TRANSACTION_BATCHES]


async def _write_batch(transaction: Transaction, child: Side, home_id: PlatformId, at: datetime) -> None:
    for number in range(BATCH_RECORDS):
        record_id = create_record_id(at + timedelta(milliseconds=number * 1000 / BATCH_RECORDS))
        usage = create_usage(
            RecordEnd.SERVING, record_id=record_id, home_id=home_id, serving_id=child.town.id, region=REGION
        )
        assert await keep_own_record(transaction, usage, at) == "created"
    assert await send_batches(transaction, child.town.control) == BATCH_RECORDS


async def _write_total(transaction: Transaction, child: Side, parent_id: PlatformId, hour: str) -> None:
    quantities = {TokenClass.INPUT: 1_155, TokenClass.OUTPUT: 211}
    lines = tuple(TotalLine(f"model-{number}", "metax-c600", 9, quantities) for number in range(TOTAL_MODELS))
    total = HourlyTotal(create_id(), child.town.id, hour, REGION, 5, 9 * TOTAL_MODELS, "ab" * 32, lines)
    control = child.town.control
    await take_pair(transaction, control, SettlementKey(child.town.id, parent_id, total.period))
    told = tell_total(control, total, parent_id)
    assert await transaction.totals.insert(told)
    await send_settlement(transaction, control, [draft_total(control, told)])
