"""Holders: the finest is who they are, and what is below them is theirs."""

from keisan.domain.holder import Holder
from keisan.domain.ids import KeyId, OrganizationId, ProjectId
from tests.domain.samples import KEY_ID, ORGANIZATION_ID, PROJECT_ID, name_id

ORGANIZATION, PROJECT = Holder(ORGANIZATION_ID), Holder(ORGANIZATION_ID, PROJECT_ID)
KEY = Holder(ORGANIZATION_ID, PROJECT_ID, KEY_ID)


def test_finest_that_is_named_is_the_holder() -> None:
    assert [each.id for each in (ORGANIZATION, PROJECT, KEY)] == [ORGANIZATION_ID, PROJECT_ID, KEY_ID]
    assert KEY.path == (KEY_ID, PROJECT_ID, ORGANIZATION_ID)
    assert ORGANIZATION.path == (ORGANIZATION_ID,)


def test_holder_is_over_itself_and_what_is_below_it_only() -> None:
    line = (ORGANIZATION, PROJECT, KEY)
    for place, upper in enumerate(line):
        assert [upper.is_over(each) for each in line] == [other >= place for other in range(3)]
    other_key = Holder(ORGANIZATION_ID, PROJECT_ID, KeyId(name_id(3, 2)))
    other_project = Holder(ORGANIZATION_ID, ProjectId(name_id(2, 2)), KEY_ID)
    assert not KEY.is_over(other_key)
    assert not PROJECT.is_over(other_project)
    assert not KEY.is_over(other_project)
    assert not ORGANIZATION.is_over(Holder(OrganizationId(name_id(1, 2))))
