"""Two platforms on two real SQLite files, and the letters of credit between them, delivered when a test says so."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from keisan.control.admission import apply_admission
from keisan.control.context import Control
from keisan.control.office import open_office
from keisan.control.platform_credit import apply_credit, apply_credit_return
from keisan.control.reconcilers.platform_ticket import PlatformTicketReconciler
from keisan.domain.access import PlatformScope, Principal, Role
from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.lease import WorkNoun
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.page import PageRequest
from keisan.domain.platform_ticket import PlatformTicket
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from keisan.wire.letter import LetterDraft, sign_letter
from tests.domain.credit_samples import OTHER_ID
from tests.factories import (
    IDENTITY,
    SIGNER,
    FixedClock,
    Side,
    World,
    create_key,
    create_machine,
    create_model,
    create_organization,
    create_platform,
    create_price,
    create_project,
    plant_world,
)

EVERYTHING = PlatformScope()
HANDLERS: dict[str, Any] = {
    LetterKind.ADMISSION: apply_admission,
    LetterKind.CREDIT: apply_credit,
    LetterKind.CREDIT_RETURN: apply_credit_return,
}


@dataclass
class End:
    """One platform: what it sent and nobody has yet, and which registers it was told."""

    control: Control
    other_id: PlatformId
    sent: list[Letter] = field(default_factory=list)
    told: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def storage(self) -> Database:
        storage = self.control.storage
        assert isinstance(storage, Database)
        return storage

    async def list_registers(self) -> list[Letter]:
        """Return this platform's own registers for the other one."""
        async with self.storage.read() as view:
            found = [
                letter
                for kind in (LetterKind.ADMISSION, LetterKind.CREDIT)
                for letter in await list_kind(view, kind)
                if letter.author == self.control.platform_id
            ]
        return [letter for letter in found if letter.audience == self.other_id]

    async def take(self, letter: Letter) -> None:
        """Take a letter as it comes over the link, within one transaction."""
        link_id = LinkId(create_id())
        async with self.storage.write() as transaction:
            if letter.is_register and not await transaction.registers.put(letter, link_id):
                return
            arrival = Arrival(link_id, letter.author, self.control.clock.now())
            is_of_log = letter.kind == LetterKind.CREDIT_RETURN
            given = await open_office(transaction, self.control) if is_of_log else self.control
            await HANDLERS[letter.kind](transaction, given, arrival, letter)

    async def work(self) -> int:
        """Look after every platform ticket that is due."""
        reconciler, now = PlatformTicketReconciler(self.control), self.control.clock.now()
        async with self.storage.write() as transaction:
            taken = await transaction.outbox.take(now, timedelta(seconds=30), 100)
        # Tickets of gateways have a reconciler of their own.
        leases = [lease for lease in taken if lease.noun is WorkNoun.PLATFORM_TICKET]
        for lease in leases:
            async with self.storage.read() as view:
                state = await reconciler.load(view, lease.noun_id)
            async with self.storage.write() as transaction:
                await transaction.outbox.check(lease, now)
                due = None if state is None else await reconciler.apply(transaction, reconciler.decide(state, now), now)
                await transaction.outbox.finish(lease, due)
        return len(leases)

    async def list_tickets(self) -> Sequence[PlatformTicket]:
        async with self.storage.read() as view:
            return (await view.platform_tickets.list(EVERYTHING, PageRequest())).items


async def list_kind(view: Any, kind: str) -> list[Letter]:
    """Return registers of a kind, tombstones too."""
    places = await view.registers.list_places(EVERYTHING, 0)
    return list(
        await view.registers.list_letters(EVERYTHING, [each.line.key for each in places if each.line.key.kind == kind])
    )


@dataclass
class Pair:
    """Home and the serving platform. `owner` is home's organization, `admin` its operator, `world` what serves."""

    home: End
    serving: End
    owner: Any
    project: Any
    key: Any
    admin: Principal
    world: World
    clock: FixedClock

    async def deliver(self, *, rounds: int = 4) -> None:
        """Carry letters to and fro until nobody says anything new."""
        for _ in range(rounds):
            for sender, receiver in ((self.home, self.serving), (self.serving, self.home)):
                for letter in await sender.list_registers():
                    mark = (letter.kind, letter.name)
                    if sender.told.get(mark) != letter.version:
                        sender.told[mark] = letter.version
                        await receiver.take(letter)
                letters, sender.sent = sender.sent, []
                for letter in letters:
                    await receiver.take(letter)

    @property
    def guest(self) -> Side:
        """Return the planted side that serves, with home's organization as who calls."""
        return replace(self.world.left, organization=self.owner, project=self.project, key=self.key)


@asynccontextmanager
async def open_pair(folder: Path, migrated: Path, monkeypatch: Any) -> AsyncIterator[Pair]:
    """Open two platforms; what goes into logs is kept by the test in place of a link."""
    clock = FixedClock()
    ends = []
    for name in ("home", "serving"):
        shutil.copyfile(migrated, folder / f"{name}.db")
        ends.append(open_sqlite(folder / f"{name}.db", clock))
    try:
        world = await plant_world(ends[1])
        home = End(Control(ends[0], clock, OTHER_ID, signer=SIGNER, identity=IDENTITY), world.platform.id)
        serving = End(Control(ends[1], clock, world.platform.id, signer=SIGNER, identity=IDENTITY), OTHER_ID)
        monkeypatch.setattr("keisan.control.platform_credit.send_letters", _build_sender(home, serving))
        organization = replace(create_organization("buyer"), platform_id=OTHER_ID)
        project = replace(create_project(organization), platform_id=OTHER_ID)
        key = replace(create_key(project), platform_id=OTHER_ID)
        admin = replace(create_key(project), platform_id=OTHER_ID, role=Role.PLATFORM_ADMIN)
        model = create_model(world.model.facts.name)
        # At home everything costs twice as much as in the planted world, which serves.
        home_price = {name: 2 * nano for name, nano in world.price.nano_per_million.items()}
        price = replace(create_price(model), nano_per_million=home_price)
        async with ends[0].write() as transaction:
            await transaction.platform.insert(replace(create_platform(), id=OTHER_ID))
            await transaction.organizations.insert(organization)
            await transaction.projects.insert(project)
            await transaction.keys.insert(key)
            await transaction.keys.insert(admin)
            await transaction.models.insert(model)
            await transaction.prices.insert(price)
            await transaction.machines.insert(create_machine())
            await home.control.journal.write_opening(transaction)
        async with ends[1].write() as transaction:
            await serving.control.journal.write_opening(transaction)
        yield Pair(home, serving, organization, project, key, admin.to_principal(), world, clock)
    finally:
        for each in ends:
            await each.close()


def _build_sender(*ends: End) -> Any:
    async def send(_transaction: Any, control: Control, drafts: Sequence[LetterDraft]) -> list[Letter]:
        letters = [sign_letter(draft, control.platform_id, SIGNER) for draft in drafts]
        own = next(end for end in ends if end.control.platform_id == control.platform_id)
        own.sent += letters
        return letters

    return send
