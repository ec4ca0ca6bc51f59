"""History in the platform's process: takes accepted frames and inventories, keeps files, answers within a scope, tells drops."""

import asyncio
from dataclasses import dataclass, replace

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.domain.access import OrganizationScope, Principal, ProviderScope, Right
from keisan.domain.errors import PermissionDenied, Unavailable
from keisan.domain.event import EventDraft
from keisan.domain.history import InventoryNote
from keisan.domain.history_question import HistoryQuestion
from keisan.domain.ids import SiteId
from keisan.domain.sample import FrameHead
from keisan.kit.clock import from_milliseconds, to_milliseconds, wait_unless_stopped
from keisan.kit.observe import write_failure
from keisan.telemetry.history import HistoryIntake, Taking
from keisan.telemetry.history_answer import HistoryAnswer, HistoryAnswerer
from keisan.telemetry.history_keeper import HistoryKeeper
from keisan.telemetry.history_room import Drop
from keisan.telemetry.live_site import SitePlace
from keisan.wire.frame import Numbers, Values
from keisan.wire.inventory import Inventory

TELL_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class ToldAnswer:
    """An answer with the names of the sites that the asker may see, by id."""

    answer: HistoryAnswer
    site_names: dict[SiteId, str]


@dataclass(slots=True)
class History:
    """Built once per process by daemon."""

    control: Control
    intake: HistoryIntake
    keeper: HistoryKeeper
    answerer: HistoryAnswerer

    def append(self, place: SitePlace, head: FrameHead, numbers: Numbers, values: Values) -> bool:
        """Take an accepted frame over, and tell whether there was room; what is too late or too early is counted.

        Returns at once.
        """
        return self.intake.append(place.site_id, place.region, head, numbers, values) is not Taking.QUEUE_FULL

    def take_inventory(self, place: SitePlace, inventory: Inventory) -> None:
        """Have an inventory kept beside the files. Returns at once."""
        note = InventoryNote(
            str(place.site_id),
            place.region,
            inventory.head.incarnation,
            inventory.head.version,
            inventory.device_count - int(inventory.is_retired.sum()),
            to_milliseconds(self.control.clock.now()),
        )
        self.keeper.expect_inventory(note, inventory)

    async def run(self, stop: asyncio.Event) -> None:
        """Write, keep and tell until `stop` is set; what was taken is written then."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.intake.run(stop), name="history journal")
            group.create_task(self.keeper.run(stop), name="history files")
            while not stop.is_set():
                await self.tell_drops()
                await wait_unless_stopped(self.control.clock, TELL_LOOK_S, stop)
        await asyncio.to_thread(self.intake.journal.close)

    async def tell_drops(self) -> None:
        """Write down what was dropped to keep within the disk budget, each as an event."""
        while self.keeper.drops:
            drop = self.keeper.drops[0]
            try:
                async with self.control.storage.write() as transaction:
                    await transaction.events.append(describe_drop(drop, self.keeper.terms.disk_bytes_max))
            except Unavailable as fault:
                write_failure("history.drop_not_told", fault)
                return
            self.keeper.drops.popleft()

    async def ask(self, principal: Principal, question: HistoryQuestion) -> ToldAnswer:
        """Return an answer of the sites within the asker's scope.

        Raises PermissionDenied for people of organizations, InvalidInput, LimitExceeded, StorageUnavailable.
        """
        principal.require(Right.READ)
        scope = principal.scope
        if isinstance(scope, OrganizationScope):
            raise PermissionDenied("telemetry of sites is for their providers and the platform's people")
        async with self.control.storage.read() as view:
            sites = {each.id: each.name for each in await view.sites.list_all(scope)}
        if isinstance(scope, ProviderScope):
            asked = sites if question.sites is None else question.sites
            question = replace(question, sites=tuple(each for each in asked if each in sites))
        return ToldAnswer(await self.answerer.ask(question), sites)


def describe_drop(drop: Drop, budget_bytes: int) -> EventDraft:
    """Return the event of a drop."""
    budget = {"disk_bytes_max": str(budget_bytes), "excess_bytes": str(drop.excess_bytes)}
    if drop.tier is None:
        return EventDraft(CONTROL_ACTOR, "history.over_budget", None, budget)
    detail = {
        "tier": str(drop.tier),
        "files": str(drop.file_count),
        "bytes": str(drop.size_bytes),
        "until": from_milliseconds(drop.until_ms).isoformat(),
    }
    return EventDraft(CONTROL_ACTOR, "history.dropped", None, detail | budget)
