"""What is not signed by whom it says, or is not between the two, is refused, and changes nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from keisan.control.settlement_sign import draft_settlement_letter, sign_text
from keisan.domain.cross_record import BatchHeader
from keisan.domain.letter import LetterKind
from keisan.domain.merkle import hash_leaf
from keisan.domain.settlement import SettlementKey, SignedText
from keisan.kit.ids import create_id
from keisan.wire.cross_leaf import write_cross_leaf
from keisan.wire.settlement import (
    ComparisonBody,
    CountersignatureBody,
    CountersignatureOf,
    UsageBody,
    write_comparison,
    write_countersigned,
    write_signed,
    write_usage,
)
from keisan.wire.settlement_text import write_batch, write_countersignature, write_period_end
from tests.control.settlement_world import EVERYTHING, Party, Post, create_call
from tests.federation.cross_samples import PERIOD, create_statement
from tests.wire.test_settlement_text import COUNTERSIGNED

Forge = Callable[[Party, Party], tuple[LetterKind, bytes]]


def write_forged_batch(home: Party, serving: Party, signed: SignedText | None = None, **changes: object) -> bytes:
    """Return the body of a good batch of the serving platform, with its header or its signature changed."""
    leaf = write_cross_leaf(create_call(home, serving)[1])
    header = BatchHeader(create_id(), serving.id, home.id, PERIOD, 1, hash_leaf(leaf).hex(), 5)
    own = sign_text(serving.control, write_batch(replace(header, **changes)))  # type: ignore[arg-type]  # by name
    return write_usage(UsageBody(signed or own, (leaf,)))


def forge_signature(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    own = sign_text(
        serving.control, write_batch(BatchHeader(create_id(), serving.id, home.id, PERIOD, 1, "ab" * 32, 5))
    )
    return LetterKind.USAGE, write_forged_batch(home, serving, replace(own, signature=bytes(64)))


def forge_key(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    content = write_batch(BatchHeader(create_id(), serving.id, home.id, PERIOD, 1, "ab" * 32, 5))
    return LetterKind.USAGE, write_forged_batch(home, serving, sign_text(home.control, content))


def forge_root(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    return LetterKind.USAGE, write_forged_batch(home, serving, records_root="ab" * 32)


def forge_count(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    return LetterKind.USAGE, write_forged_batch(home, serving, record_count=2)


def forge_author(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    return LetterKind.USAGE, write_forged_batch(home, serving, author=home.id, audience=serving.id)


def forge_period_end(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    statement = create_statement([], author=home.id, audience=serving.id)
    return LetterKind.PERIOD_END, write_signed(sign_text(serving.control, write_period_end(statement)))


def forge_own_end(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    statement = create_statement([], author=serving.id, audience=home.id)
    return LetterKind.PERIOD_END, write_signed(sign_text(home.control, write_period_end(statement)))


def forge_unknown_batch(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    content = write_batch(BatchHeader(create_id(), home.id, serving.id, PERIOD, 1, "ab" * 32, 5))
    body = CountersignatureBody(CountersignatureOf.BATCH, sign_text(serving.control, content))
    return LetterKind.COUNTERSIGNATURE, write_countersigned(body)


def forge_period_signature(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    told = replace(COUNTERSIGNED, author=serving.id, signer=home.id)
    body = CountersignatureBody(CountersignatureOf.PERIOD, sign_text(serving.control, write_countersignature(told)))
    return LetterKind.COUNTERSIGNATURE, write_countersigned(body)


def forge_comparison(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    return LetterKind.COMPARISON, write_comparison(ComparisonBody(serving.id, serving.id, PERIOD, asked=("",)))


def forge_subtree(home: Party, serving: Party) -> tuple[LetterKind, bytes]:
    return LetterKind.COMPARISON, write_comparison(ComparisonBody(home.id, serving.id, PERIOD, asked=("xyz",)))


@pytest.mark.parametrize(
    "forge",
    [
        forge_signature,
        forge_key,
        forge_root,
        forge_count,
        forge_author,
        forge_period_end,
        forge_own_end,
        forge_unknown_batch,
        forge_period_signature,
        forge_comparison,
        forge_subtree,
    ],
)
async def test_a_forged_letter_is_refused_and_changes_nothing(
    home: Party, serving: Party, post: Post, forge: Forge
) -> None:
    kind, body = forge(home, serving)
    async with serving.storage.write() as transaction:
        draft = draft_settlement_letter(serving.control, kind, body, home.id, PERIOD)
        await post.send(transaction, serving.control, [draft])
    await post.deliver()
    assert [fault.code for fault in home.refused] == ["invalid_input"]
    async with home.storage.read() as view:
        assert not await view.settlements.list_period(EVERYTHING, PERIOD)
        assert not await view.cross_records.list_marks(EVERYTHING, SettlementKey(serving.id, home.id, PERIOD))
    assert not post.letters


async def test_a_signature_for_an_earlier_word_closes_nothing(home: Party, serving: Party, post: Post) -> None:
    await home.end(serving, PERIOD)
    told = replace(COUNTERSIGNED, author=home.id, signer=serving.id)
    body = CountersignatureBody(CountersignatureOf.PERIOD, sign_text(serving.control, write_countersignature(told)))
    post.letters.clear()
    async with serving.storage.write() as transaction:
        draft = draft_settlement_letter(
            serving.control, LetterKind.COUNTERSIGNATURE, write_countersigned(body), home.id
        )
        await post.send(transaction, serving.control, [draft])
    await post.deliver()
    found = await home.find(home, serving, PERIOD)
    assert found is not None
    assert (found.state, found.countersignature, home.refused) == ("ended", None, [])
