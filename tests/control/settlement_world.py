"""Two platforms that settle, each with a key and a database of its own, and a post between them that may lose no letter but their order."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.control import settlement_sign
from keisan.control.context import Control
from keisan.control.link_place import Neighbourhood
from keisan.control.office import Office
from keisan.control.reconcilers import settlement as settlement_reconciler
from keisan.control.settlement_batch import apply_usage, send_batches
from keisan.control.settlement_compare import apply_comparison
from keisan.control.settlement_period import apply_countersignature, apply_period_end, end_period
from keisan.control.settlement_total import apply_totals
from keisan.domain.access import PlatformScope
from keisan.domain.cross_record import CrossUsage, RecordEnd
from keisan.domain.errors import KeisanError
from keisan.domain.ids import LinkId, PlatformId, hash_public_key
from keisan.domain.key_chain import KeyChain
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.platform import Platform, PlatformKind
from keisan.domain.platform_ticket import PinnedPrice
from keisan.domain.settlement import SETTLEMENT_ID, Settlement, SettlementKey, SettlementState
from keisan.federation.identity import LinkIdentity
from keisan.federation.key_book import KeyBook, KnownPlatform
from keisan.kit.signature import KeySigner
from keisan.ledger.cross_record import keep_own_record
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from keisan.wire.letter import LetterDraft, sign_letter
from tests.domain.credit_samples import create_platform_ticket
from tests.domain.samples import NOW, ORGANIZATION_ID, PRICE_ID, build_posted, build_record, create_record_id, name_id
from tests.factories import FixedClock, create_model, create_organization, create_provider, create_site
from tests.federation.cross_samples import PERIOD, PRICES, create_usage

EVERYTHING = PlatformScope()
HANDLERS = {
    LetterKind.USAGE: apply_usage,
    LetterKind.PERIOD_END: apply_period_end,
    LetterKind.COUNTERSIGNATURE: apply_countersignature,
    LetterKind.COMPARISON: apply_comparison,
    LetterKind.TOTALS: apply_totals,
}


# Who calls at whom.
OTHER_REGIONS = {"CN-SH": "CN-SX", "CN-SX": "CN-SH"}


@dataclass
class Party:
    """A platform that settles; `refused` is what its handlers refused."""

    storage: Database
    control: Control
    region: str
    revoked_at_ms: int | None = None
    refused: list[KeisanError] = field(default_factory=list)

    @property
    def id(self) -> PlatformId:
        return self.control.platform_id

    @property
    def known(self) -> KnownPlatform:
        assert self.control.signer is not None
        chain = KeyChain(self.control.signer.public_key)
        return KnownPlatform(self.id, chain, None, self.region, "", 0, self.revoked_at_ms)

    async def keep(self, usage: CrossUsage) -> None:
        """Keep what it says of a call itself."""
        async with self.storage.write() as transaction:
            assert await keep_own_record(transaction, usage, self.control.clock.now()) == "created"

    async def tell(self) -> None:
        async with self.storage.write() as transaction:
            while await send_batches(transaction, self.control):
                pass

    async def end(self, other: "Party", period: str) -> None:
        async with self.storage.write() as transaction:
            await end_period(transaction, self.control, SettlementKey(self.id, other.id, period))

    async def find(self, author: "Party", audience: "Party", period: str) -> Settlement | None:
        async with self.storage.read() as view:
            return await view.settlements.find(EVERYTHING, SettlementKey(author.id, audience.id, period))


@dataclass
class Post:
    """Letters on their way; those in `lost` never arrive, though their sender keeps what they tell."""

    parties: list[Party] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    is_losing: bool = False

    async def send(self, _transaction: Transaction, control: Control, drafts: Sequence[LetterDraft]) -> None:
        assert control.signer is not None
        if not self.is_losing:
            self.letters += [sign_letter(draft, control.platform_id, control.signer) for draft in drafts]

    def open_office(self, control: Control) -> Office:
        """Return what a platform believes of the others; there are no links."""
        known = {party.id: party.known for party in self.parties}
        return Office(control, KeyBook(control.platform_id, known, verify=control.verify), Neighbourhood(()))

    async def load_neighbourhood(self, _transaction: Transaction) -> None:
        """Say nothing of links: there are none."""

    async def find_way(self, _transaction: Transaction, _around: None, audience: PlatformId) -> str | None:
        return next((each.id for each in self.parties if each.id == audience), None)

    async def deliver(self, seed: int | None = None, *, copies: int = 1) -> int:
        """Hand letters over until none is on its way, each so often, in order or as a seed shuffles them; return how many."""
        count, chance = 0, random.Random(seed)
        while self.letters:
            batch, self.letters = self.letters * copies, []
            if seed is not None:
                chance.shuffle(batch)
            for letter in batch:
                await self._hand_over(letter)
            count += len(batch)
            assert count < 10_000, "letters never come to an end"
        return count

    async def _hand_over(self, letter: Letter) -> None:
        (party,) = [each for each in self.parties if each.id == letter.audience]
        arrival = Arrival(LinkId(name_id(90)), letter.author, NOW)
        try:
            async with party.storage.write() as transaction:
                await HANDLERS[LetterKind(letter.kind)](transaction, self.open_office(party.control), arrival, letter)
        except KeisanError as refusal:
            party.refused.append(refusal)


async def plant_terms(storage: Database, own_id: PlatformId, other_id: PlatformId) -> None:
    """Give a platform the model, and the ticket of another that pins its price: both ends of a call know them."""
    model, organization = create_model("smol"), create_organization()
    pinned = PinnedPrice(model.id, "smol", PRICE_ID, PRICES)
    ticket = create_platform_ticket(
        ORGANIZATION_ID, id=name_id(60), platform_id=own_id, counterparty_id=other_id, prices=(pinned,)
    )
    async with storage.write() as transaction:
        await transaction.models.insert(replace(model, platform_id=own_id))
        await transaction.organizations.insert(replace(organization, id=ORGANIZATION_ID, platform_id=own_id))
        await transaction.platform_tickets.insert(ticket)


def make_signer(region: str) -> KeySigner:
    """Return the key of a region's platform, always the same: each must know the other's id before it is there."""
    return KeySigner(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(region.encode()).digest()))


async def open_party(storage: Database, clock: FixedClock, region: str) -> Party:
    """Plant a platform with a key of its own, and the terms that calls are settled by."""
    signer = make_signer(region)
    own_id = hash_public_key(signer.public_key)
    other_id = hash_public_key(make_signer(OTHER_REGIONS[region]).public_key)
    platform = Platform(own_id, region, PlatformKind.REGIONAL, region, signer.public_key, 1, NOW)
    async with storage.write() as transaction:
        await transaction.platform.insert(platform)
    await plant_terms(storage, own_id, other_id)
    return Party(
        storage,
        Control(
            storage, clock, own_id, signer=signer, identity=LinkIdentity(KeyChain(signer.public_key), signer, bytes(32))
        ),
        region,
    )


def open_post(monkeypatch: pytest.MonkeyPatch, *parties: Party) -> Post:
    """Return the post between parties, in the place of links."""
    post = Post(list(parties))
    monkeypatch.setattr(settlement_sign, "send_letters", post.send)
    monkeypatch.setattr(settlement_sign, "load_neighbourhood", post.load_neighbourhood)
    monkeypatch.setattr(settlement_sign, "find_way", post.find_way)
    return post


def create_call(home: Party, serving: Party, **changes: Any) -> tuple[CrossUsage, CrossUsage]:
    """Return what both ends say of one call on which they agree: home's word, and the serving platform's."""
    record_id = changes.pop("record_id", None) or create_record_id(changes.pop("at", NOW))
    shared = {"record_id": record_id, "home_id": home.id, "serving_id": serving.id, "region": serving.region, **changes}
    return create_usage(RecordEnd.HOME, **shared), create_usage(RecordEnd.SERVING, **shared)


async def plant_local_calls(party: Party, count: int) -> None:
    """Give a platform usage records that crossed nothing, at a site in its region, as if intake had posted them."""
    provider = replace(create_provider(), platform_id=party.id)
    site = replace(create_site(provider), platform_id=party.id, region=party.region)
    async with party.storage.write() as transaction:
        await transaction.providers.insert(provider)
        await transaction.sites.insert(site)
        model = await transaction.models.find_by_name(EVERYTHING, "smol")
        assert model is not None
        posted = [
            build_posted(
                build_record(id=create_record_id(NOW), platform_id=party.id, site_id=site.id, model_id=model.id)
            )
            for _ in range(count)
        ]
        await transaction.usage.insert_many(posted)


async def run_reconciler(monkeypatch: pytest.MonkeyPatch, party: Party, parent: Party | None) -> None:
    """Do one run of settlement's work, as the lease loop would."""

    async def load(_transaction: Transaction) -> SimpleNamespace:
        return SimpleNamespace(parent=None if parent is None else SimpleNamespace(neighbour_id=parent.id))

    monkeypatch.setattr(settlement_reconciler, "load_neighbourhood", load)
    reconciler = settlement_reconciler.SettlementReconciler(party.control)
    async with party.storage.read() as view:
        state = await reconciler.load(view, SETTLEMENT_ID)
    change = await reconciler.perform(reconciler.decide(state, party.control.clock.now()))
    async with party.storage.write() as transaction:
        await reconciler.apply(transaction, change, party.control.clock.now())


async def call(home: Party, serving: Party, count: int, **changes: object) -> None:
    for _ in range(count):
        ours, theirs = create_call(home, serving, **changes)
        await home.keep(ours)
        await serving.keep(theirs)


async def end_both(home: Party, serving: Party, period: str = PERIOD) -> None:
    await home.end(serving, period)
    await serving.end(home, period)


async def assert_closed(home: Party, serving: Party, period: str = PERIOD) -> None:
    for author, audience in ((home, serving), (serving, home)):
        mine, theirs = [await each.find(author, audience, period) for each in (author, audience)]
        assert mine is not None
        assert theirs is not None
        assert mine.state is theirs.state is SettlementState.COUNTERSIGNED
        assert mine.statement == theirs.statement
        assert mine.countersignature == theirs.countersignature
    assert not home.refused + serving.refused
