"""Settlement with other platforms: records that wait are told in batches, hours in totals, and periods that are over are ended.

What is summed is read between the two transactions, and told in the second one, under the lease.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from keisan.control.context import Control
from keisan.control.link_place import load_neighbourhood
from keisan.control.settlement_batch import send_batches, take_pair
from keisan.control.settlement_period import end_period, name_key
from keisan.control.settlement_sign import is_reached, send_settlement
from keisan.control.settlement_total import HourNames, draft_total, sum_hour, tell_total
from keisan.control.settlement_trim import trim_logs
from keisan.domain.access import PlatformScope, Scope
from keisan.domain.ids import PlatformId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import SETTLEMENT_BATCHES_MAX, SETTLEMENT_INTERVAL_S
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.settlement import SETTLEMENT_ID, HourlyTotal, Settlement, SettlementKey, SettlementState
from keisan.domain.usage import PostedRecord
from keisan.federation.rule_settlement import is_period_over, list_hours
from keisan.kit.clock import to_milliseconds
from keisan.ledger.paging import walk_pages
from keisan.storage.base import Storage, Transaction

EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class SettlementWork:
    """What there is: own settlements that are not ended, the parent, and the last hour that it was told of."""

    open: Sequence[Settlement]
    parent_id: PlatformId | None
    last_hour: str | None


@dataclass(frozen=True, slots=True)
class SettlementChange:
    """What to do: hours to tell the parent, with their totals once they are summed, and periods to end after that."""

    parent_id: PlatformId | None
    hours: Sequence[str]
    ended: Sequence[SettlementKey]
    totals: Sequence[HourlyTotal] = ()


@dataclass(frozen=True, slots=True)
class SettlementReconciler:
    """Tells other platforms what this one has to settle with them."""

    control: Control

    async def load(self, transaction: Transaction, _noun_id: UUID) -> SettlementWork:
        """Return what there is to do."""
        own_id = self.control.platform_id
        parent = (await load_neighbourhood(transaction)).parent
        parent_id = None if parent is None else parent.neighbour_id
        last_hour = None
        if parent_id is not None:
            last_hour = await transaction.totals.find_last_hour(EVERYTHING, own_id, parent_id)
        return SettlementWork(await transaction.settlements.list_open(EVERYTHING, own_id), parent_id, last_hour)

    def decide(self, state: SettlementWork, now: datetime) -> SettlementChange:
        """Return which hours are over, and which periods: each for its own audience."""
        now_ms = to_milliseconds(now)
        ended = [name_key(each) for each in state.open if is_period_over(each.period, now_ms)]
        hours = [] if state.parent_id is None else list_hours(state.last_hour, now)
        return SettlementChange(state.parent_id, hours, ended)

    async def perform(self, change: SettlementChange) -> SettlementChange:
        """Sum the hours, each from a view of its own."""
        totals: list[HourlyTotal] = []
        for hour in change.hours:
            async with self.control.storage.read() as view:
                totals += await _sum_hour(view, self.control.platform_id, hour)
        return replace(change, totals=totals)

    async def apply(self, transaction: Transaction, change: SettlementChange, now: datetime) -> datetime:
        """Send batches and totals, end what is over, drop what is settled, and look again when there is more."""
        has_more = await self._send_batches(transaction)
        for total in change.totals:
            await self._tell(transaction, total, change.parent_id)
        for key in [] if has_more else change.ended:
            settlement = await transaction.settlements.take(key, now)
            if settlement.state is SettlementState.OPEN and await is_reached(transaction, key.audience):
                await end_period(transaction, self.control, key)
        await trim_logs(transaction, now)
        return now if has_more else now + timedelta(seconds=SETTLEMENT_INTERVAL_S)

    async def _send_batches(self, transaction: Transaction) -> bool:
        """Send what waits and tell whether there is more than a run sends."""
        for _ in range(SETTLEMENT_BATCHES_MAX):
            if not await send_batches(transaction, self.control):
                return False
        return True

    async def _tell(self, transaction: Transaction, total: HourlyTotal, parent_id: PlatformId | None) -> None:
        assert parent_id is not None
        key = SettlementKey(total.author, parent_id, total.period)
        # A period that was ended says how many totals it has.
        if await take_pair(transaction, self.control, key) is not SettlementState.OPEN:
            return
        told = tell_total(self.control, total, parent_id)
        if await transaction.totals.insert(told):
            await send_settlement(transaction, self.control, [draft_total(self.control, told)])


async def _sum_hour(view: Transaction, author: PlatformId, hour: str) -> list[HourlyTotal]:
    async def fetch(scope: Scope, page: PageRequest) -> PageOf[PostedRecord]:
        return await view.totals.list_records(scope, hour, page)

    records = [posted async for posted in walk_pages(fetch)]
    if not records:
        return []
    models = await view.models.list_by_ids(EVERYTHING, {posted.record.context.model_id for posted in records})
    sites = await view.sites.list_all(EVERYTHING)
    names = HourNames({model.id: model.facts.name for model in models}, {site.id: site.region for site in sites})
    return sum_hour(author, hour, records, names)


async def start_settlement(storage: Storage, now: datetime) -> None:
    """Make settlement's work due: at every start of a platform."""
    async with storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.SETTLEMENT, SETTLEMENT_ID, now)
