"""A door's secrets: derived and never told from one another, at most two in force, replaced stage by stage."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.door import (
    Door,
    DoorSight,
    DoorStage,
    advance_door,
    derive_secret,
    digest_salt,
    list_salts,
)
from keisan.domain.key import Secret, digest_secret
from tests.domain.samples import DOOR_PLACE, SITE_ID, build_door, name_id

ROOT = Secret("a root")
OLD, NEW = "0a" * 32, "0b" * 32
NOTHING = DoorSight(frozenset(), are_gateways_moved=False)
S = DoorStage


def see(*salts: str, are_gateways_moved: bool = False) -> DoorSight:
    return DoorSight(frozenset(salts), are_gateways_moved)


def describe(door: Door) -> tuple[DoorStage, str, str]:
    return door.stage, door.shown_salt, door.other_salt


def test_secret_is_always_the_same_and_another_for_each_root_site_and_salt() -> None:
    secret = derive_secret(ROOT, SITE_ID, OLD)
    assert secret.reveal() == derive_secret(ROOT, SITE_ID, OLD).reveal()
    assert secret.reveal().startswith("dk-keisan-")
    others = [(Secret("another"), SITE_ID, OLD), (ROOT, name_id(6, 2), OLD), (ROOT, SITE_ID, NEW)]
    texts = {derive_secret(root, site_id, salt).reveal() for root, site_id, salt in others}  # type: ignore[arg-type]  # an id
    assert len(texts | {secret.reveal()}) == 4
    assert digest_salt(ROOT, SITE_ID, OLD) == digest_secret(secret)


def test_first_secret_is_shown_once_the_door_lets_it_in() -> None:
    door = build_door(shown_salt="", moved_at=None)
    assert not door.is_told
    arriving = advance_door(door, NOTHING, NEW)
    assert describe(arriving) == (S.ARRIVING, "", NEW)
    assert list_salts(arriving) == (NEW,)
    assert advance_door(arriving, NOTHING, OLD) == arriving
    shown = advance_door(arriving, see(NEW), OLD)
    assert describe(shown) == (S.STEADY, NEW, "")
    assert (shown.is_told, shown.is_rotating) == (True, False)


def test_secret_is_replaced_stage_by_stage_each_when_it_is_safe() -> None:
    steady = build_door(shown_salt=OLD)
    assert advance_door(steady, see(OLD, are_gateways_moved=True), NEW) == steady
    wanted = replace(steady, is_rotation_wanted=True)
    assert wanted.is_rotating
    arriving = advance_door(wanted, see(OLD), NEW)
    assert (describe(arriving), arriving.is_rotation_wanted) == ((S.ARRIVING, OLD, NEW), False)
    assert list_salts(arriving) == (OLD, NEW)
    assert advance_door(arriving, see(OLD, are_gateways_moved=True), "") == arriving
    leaving = advance_door(arriving, see(OLD, NEW), "")
    assert describe(leaving) == (S.LEAVING, NEW, OLD)
    assert list_salts(leaving) == (NEW, OLD)
    assert advance_door(leaving, see(OLD, NEW), "") == leaving
    closing = advance_door(leaving, see(OLD, NEW, are_gateways_moved=True), "")
    assert describe(closing) == (S.CLOSING, NEW, OLD)
    assert list_salts(closing) == (NEW,)
    assert advance_door(closing, see(OLD, NEW), "") == closing
    done = advance_door(closing, see(NEW), "")
    assert describe(done) == (S.STEADY, NEW, "")
    assert not done.is_rotating


def test_one_wanted_meanwhile_comes_after() -> None:
    leaving = build_door(stage=S.LEAVING, shown_salt=NEW, other_salt=OLD, is_rotation_wanted=True)
    closing = advance_door(leaving, see(OLD, NEW, are_gateways_moved=True), "")
    steady = advance_door(closing, see(NEW), "")
    assert (steady.stage, steady.is_rotation_wanted) == (S.STEADY, True)
    assert describe(advance_door(steady, see(NEW), "0c" * 32)) == (S.ARRIVING, NEW, "0c" * 32)


@pytest.mark.parametrize("place", [None, DOOR_PLACE])
def test_closed_door_is_told_to_nobody(place: object) -> None:
    assert build_door(place=place).is_told is (place is not None)


SIGHTS = st.lists(st.tuples(st.sampled_from([0, 1, 2, 3]), st.booleans(), st.booleans()), max_size=40)


@given(SIGHTS)
def test_no_gateway_is_ever_locked_out_and_two_secrets_are_the_most(steps: list[tuple[int, bool, bool]]) -> None:
    """Whatever is reported, in whatever order: what gateways show stays ordered, and what they showed, until they moved."""
    door = build_door(shown_salt="", moved_at=None)
    held: set[str] = set()
    for number, (kind, are_moved, is_wanted) in enumerate(steps):
        door = replace(door, is_rotation_wanted=door.is_rotation_wanted or is_wanted)
        ordered = frozenset(list_salts(door))
        let_in = [frozenset(), ordered, frozenset({door.shown_salt}), frozenset({door.other_salt})][kind]
        after = advance_door(door, DoorSight(let_in, are_moved), f"{number:064x}")
        in_force = set(list_salts(after))
        assert len(in_force) <= 2
        assert not after.shown_salt or after.shown_salt in in_force
        if after.shown_salt != door.shown_salt:
            assert after.shown_salt in let_in, "gateways show what the door was not seen to let in"
            held = {door.shown_salt} - {""}
        if after.stage is S.CLOSING and door.stage is S.LEAVING:
            assert are_moved
            held = set()
        assert held <= in_force, "a secret that a gateway may still show opens nothing"
        door = after
