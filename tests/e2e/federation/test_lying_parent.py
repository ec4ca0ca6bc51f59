"""A parent that keeps to the protocol and lies in its letters: each lie is refused with a code, kept for a person, and changes nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.cross_record import BatchHeader, LeafMark, RecordEnd
from keisan.domain.ids import RecordId
from keisan.domain.letter import LetterKind
from keisan.domain.merkle import hash_leaf
from keisan.domain.settlement import SignedText
from keisan.federation.rule_settlement import compute_leaves_root
from keisan.wire.cross_leaf import write_cross_leaf
from keisan.wire.letter import encode_letter
from keisan.wire.name import PLATFORM_REGISTER, NameBody, RevocationBody, RevokedBody, encode_body, encode_key_chain
from keisan.wire.settlement import CountersignatureBody, CountersignatureOf, UsageBody, write_countersigned, write_usage
from keisan.wire.settlement_text import write_batch
from tests.control.town import Town, make_identity
from tests.domain.samples import create_record_id
from tests.e2e.federation.attack import EPOCH, Attack, tell
from tests.e2e.federation.hostile import forge_letter
from tests.factories import create_organization
from tests.federation.cross_samples import PERIOD, create_usage

pytestmark = pytest.mark.waits

EVERYTHING = PlatformScope()
# Of the last moment that an id has room for, in the year 10889.
LAST_RECORD_ID = RecordId(UUID(int=(2**48 - 1) << 80 | 7 << 76 | 2 << 62))


def write_name(town: Town, region: str = "") -> bytes:
    keys = encode_key_chain(town.chain)
    return encode_body(NameBody(platform_id=town.id, title=town.name, region=region, epoch=9, keys=keys))


async def test_words_that_others_never_said_are_refused(attack: Attack) -> None:
    before = await attack.child.find(attack.child, LetterKind.PLATFORM, PLATFORM_REGISTER)
    forged = [
        attack.forge(author=attack.grandchild.id, name="forged", version=99),
        attack.forge(author=attack.child.id, kind="platform", name=PLATFORM_REGISTER, version=99),
    ]
    assert await tell(attack, *forged) == ["invalid_input"] * 2
    assert await attack.child.find(attack.grandchild, LetterKind.OFFER, "forged") is None
    assert await attack.child.find(attack.child, LetterKind.PLATFORM, PLATFORM_REGISTER) == before


async def test_an_older_word_that_was_really_said_changes_nothing(attack: Attack) -> None:
    older = await attack.grandchild.put(LetterKind.OFFER, "word", b"older")
    newer = await attack.grandchild.put(LetterKind.OFFER, "word", b"newer")
    assert await tell(attack, encode_letter(newer), encode_letter(older)) == []
    assert await attack.child.find(attack.grandchild, LetterKind.OFFER, "word") == b"newer"
    assert await attack.grandchild.find(attack.grandchild, LetterKind.OFFER, "word") == b"newer"


async def test_a_childs_child_is_not_its_parents_to_name(attack: Attack) -> None:
    before = await attack.find_known(attack.grandchild), await attack.find_known(attack.child)
    claimed = attack.forge(kind="name", name="mine", body=write_name(attack.grandchild, "CN-XJ"))
    renamed = attack.forge(kind="name", name="sx.ty", version=2, body=write_name(attack.grandchild, "CN-XJ"))
    await tell(attack, claimed, renamed)
    assert (await attack.find_known(attack.grandchild), await attack.find_known(attack.child)) == before


async def test_who_is_beside_revokes_nobody(attack: Attack) -> None:
    beside = make_identity()
    town = replace(
        attack.child,
        name="ev",
        chain=beside.keys,
        control=replace(attack.child.control, platform_id=beside.platform_id),
    )
    vouched = attack.forge(kind="name", name="ev", body=write_name(town))
    revoked = RevocationBody(
        proved_at_ms=1,
        revoked=tuple(RevokedBody(platform_id=each.id, revoked_at_ms=1) for each in (attack.child, attack.grandchild)),
    )
    letter = forge_letter(
        beside.signer, beside.platform_id, kind="revocation", name="revoked", body=encode_body(revoked)
    )
    assert await tell(attack, vouched, letter) == []
    assert await attack.find_known(town) is not None
    for each in (attack.child, attack.grandchild):
        known = await attack.find_known(each)
        assert known is not None
        assert known.revoked_at_ms is None


@pytest.mark.parametrize(
    ("changes", "refused", "epoch"),
    [
        ({"epoch": EPOCH - 1}, [], EPOCH),
        ({"epoch": EPOCH + 2_000}, ["invalid_input"], EPOCH),
        ({"epoch": 2**53 + 1}, ["invalid_input"], EPOCH),
        ({"count": 0}, ["invalid_input"], EPOCH),
        ({"chip": "a\x00"}, ["invalid_input"], EPOCH),
        ({"count": 1_000}, [], EPOCH),
        ({"is_of_another": True}, ["state_conflict"], EPOCH),
    ],
)
async def test_wants_grant_nothing_that_is_not_there(
    attack: Attack, changes: dict[str, object], refused: list[str], epoch: int
) -> None:
    async with attack.child.storage.write() as transaction:
        terms = await transaction.grant_terms.lock(attack.child.id)
        assert terms is not None
        await transaction.grant_terms.update(replace(terms, automatic_count=2**53, version=terms.version + 1))
    want = {
        "want_id": str(uuid4()),
        "epoch": EPOCH,
        "heard_number": 0,
        "renewal": 1,
        "is_ended": False,
        "chip": None,
        "count": 1,
        "duration_s": 3600,
        "on_expiry": "hold",
    }
    signer, author, letters = attack.identity.signer, attack.parent.id, []
    if "is_of_another" in changes:
        beside = make_identity()
        town = replace(
            attack.child,
            name="ev",
            chain=beside.keys,
            control=replace(attack.child.control, platform_id=beside.platform_id),
        )
        signer, author, letters = (
            beside.signer,
            beside.platform_id,
            [attack.forge(kind="name", name="ev", body=write_name(town))],
        )
    letters.append(
        forge_letter(
            signer,
            author,
            kind="grant_want",
            name="want",
            audience=attack.child.id,
            body=msgspec.json.encode(want | changes),
        )
    )
    assert await tell(attack, *letters) == refused
    async with attack.child.storage.read() as view:
        assert not await view.grants.list_holding(EVERYTHING)
        found = await view.grant_terms.find(EVERYTHING, attack.child.id)
    assert found is not None
    assert found.epoch == epoch


async def test_credit_and_guests_that_are_not_its_own_to_give_are_refused(attack: Attack) -> None:
    own = replace(create_organization(), platform_id=attack.child.id)
    guest = replace(create_organization(), platform_id=attack.parent.id, name="guest")
    async with attack.child.storage.write() as transaction:
        for each in (own, guest):
            await transaction.organizations.insert(each)
    lease = {
        "ticket_id": str(uuid4()),
        "currency": "CNY",
        "ceiling_nano": "1",
        "prices": [],
        "policy": "",
        "number": 1,
        "lease_s": 60,
        "sent_at_ms": 1,
        "answers_at_ms": 1,
        "spent_nano": "0",
        "wanted_nano": "1",
    }
    bodies = [
        lease | {"organization_id": str(own.id), "sent_at_ms": 2**63 - 1},
        lease | {"organization_id": str(guest.id), "answers_at_ms": 2**63 - 1},
        lease | {"organization_id": str(guest.id), "lease_s": 2**62},
        lease | {"organization_id": str(guest.id), "ceiling_nano": "9" * 60},
        lease | {"organization_id": str(uuid4())},
    ]
    letters = [
        attack.forge(kind="credit", name=f"credit-{number}", audience=attack.child.id, body=msgspec.json.encode(body))
        for number, body in enumerate(bodies)
    ]
    admission = {
        "organization_id": str(own.id),
        "name": "stolen",
        "currency": "CNY",
        "time_zone": "Asia/Shanghai",
        "policy": "",
        "limits": {},
        "projects": [],
        "keys": [],
    }
    unkeepable = admission | {"organization_id": str(uuid4()), "name": "a\x00b"}
    letters.append(
        attack.forge(kind="admission", name="nul", audience=attack.child.id, body=msgspec.json.encode(unkeepable))
    )
    letters.append(
        attack.forge(kind="admission", name="guest", audience=attack.child.id, body=msgspec.json.encode(admission))
    )
    codes = await tell(attack, *letters)
    assert codes == ["invalid_input"] * 5 + ["refused", "state_conflict"]
    async with attack.child.storage.read() as view:
        assert await view.organizations.list_by_ids(EVERYTHING, [own.id, guest.id]) != []
        assert (await view.organizations.get(EVERYTHING, own.id)).platform_id == attack.child.id
        assert not await view.platform_tickets.list_in_force(EVERYTHING)


def write_batch_letter(attack: Attack, *, root: str = "", at: datetime | None = None) -> bytes:
    """Return a batch of one record that the parent serves, and signs."""
    record_id = create_record_id(at or datetime.now(UTC)) if at is None or at.year < 9999 else LAST_RECORD_ID
    usage = create_usage(RecordEnd.SERVING, record_id=record_id, home_id=attack.child.id, serving_id=attack.parent.id)
    leaf = write_cross_leaf(usage)
    header = BatchHeader(
        id=uuid4(),
        author=attack.parent.id,
        audience=attack.child.id,
        period=PERIOD,
        record_count=1,
        records_root=root or compute_leaves_root([LeafMark(record_id, hash_leaf(leaf))]),
        made_at_ms=1,
    )
    signer, content = attack.identity.signer, write_batch(header)
    body = write_usage(UsageBody(SignedText(content, signer.sign(content), signer.public_key), (leaf,)))
    return attack.forge(kind="usage", name="", version=0, audience=attack.child.id, body=body)


async def test_settlements_that_prove_nothing_are_refused(attack: Attack) -> None:
    signer = attack.identity.signer
    never_told = write_batch(BatchHeader(uuid4(), attack.child.id, attack.parent.id, PERIOD, 1, "00" * 32, 1))
    signed = SignedText(never_told, signer.sign(never_told), signer.public_key)
    countersigned = write_countersigned(CountersignatureBody(CountersignatureOf.BATCH, signed))
    letters = [
        write_batch_letter(attack, root="00" * 32),
        write_batch_letter(attack, at=datetime(9999, 1, 1, tzinfo=UTC)),
        attack.forge(kind="countersignature", name="", version=0, audience=attack.child.id, body=countersigned),
    ]
    assert await tell(attack, *letters, is_log=True) == ["invalid_input"] * 3
    async with attack.child.storage.read() as view:
        assert not await view.cross_records.list_ends(EVERYTHING, [LAST_RECORD_ID])
