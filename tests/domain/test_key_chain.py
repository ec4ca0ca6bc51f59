"""A platform's keys: each later one was vouched for by the one before, from the first, of which the id is the hash."""

from dataclasses import replace

import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.key_chain import KeyChain, Rotation, check_key_chain
from keisan.domain.limits import KEY_ROTATIONS_MAX
from keisan.kit.signature import is_signed_by
from tests.federation.tree import Person, make_signer


@pytest.fixture
def person() -> Person:
    made = Person()
    made.rotate()
    made.rotate()
    return made


def test_a_chain_lists_its_keys_and_is_continued_by_a_longer_one(person: Person) -> None:
    check_key_chain(person.chain, person.id, is_signed_by)
    assert person.chain.keys == tuple(each.public_key for each in person.signers)
    assert person.chain.newest_key == person.signers[-1].public_key
    shorter = replace(person.chain, rotations=person.chain.rotations[:1])
    assert shorter.is_continued_by(person.chain)
    assert shorter.is_continued_by(shorter)
    assert not person.chain.is_continued_by(shorter)


def test_another_platforms_chain_is_refused(person: Person) -> None:
    with pytest.raises(InvalidInput, match="another's"):
        check_key_chain(person.chain, Person().id, is_signed_by)


def test_a_chain_with_a_link_missing_swapped_or_forged_is_refused(person: Person) -> None:
    one, two = person.chain.rotations
    forged = replace(two, public_key=make_signer().public_key)
    short = Rotation(1, b"short", b"")
    for rotations in ((two,), (two, one), (one, one), (one, forged), (short,), (replace(one, number=2),)):
        with pytest.raises(InvalidInput, match="not vouched for"):
            check_key_chain(KeyChain(person.chain.first_key, rotations), person.id, is_signed_by)


def test_a_chain_has_an_end(person: Person) -> None:
    for _ in range(KEY_ROTATIONS_MAX - 2):
        person.rotate()
    check_key_chain(person.chain, person.id, is_signed_by)
    person.rotate()
    with pytest.raises(InvalidInput, match="at most"):
        check_key_chain(person.chain, person.id, is_signed_by)
