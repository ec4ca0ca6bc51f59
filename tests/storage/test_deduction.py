"""Deductions: versions of a kind and a subject, and who sees which: what applies to them, and nothing else."""

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.deduction import EVERYBODY, Deduction, DeductionKind
from keisan.domain.errors import AlreadyExists
from keisan.storage.database import Database
from tests.factories import World, create_margin, create_tax, plant_world

EVERYTHING = PlatformScope()


async def plant_general(storage: Database) -> tuple[World, Deduction, Deduction]:
    world, margin, tax = await plant_world(storage), create_margin(), create_tax()
    async with storage.write() as transaction:
        await transaction.deductions.insert(margin)
        await transaction.deductions.insert(tax)
    return world, margin, tax


async def test_everybody_sees_what_applies_to_them(storage: Database) -> None:
    world, margin, tax = await plant_general(storage)
    left, right = world.left, world.right
    async with storage.read() as view:
        organization = await view.deductions.list_all(OrganizationScope(left.organization.id))
        provider = await view.deductions.list_all(ProviderScope(right.provider.id))
        everything = await view.deductions.list_all(EVERYTHING)
    assert {each.id for each in organization} == {left.tax.id, tax.id}
    assert {each.id for each in provider} == {right.margin.id, margin.id}
    assert {each.id for each in everything} == {
        *(one.id for side in (left, right) for one in (side.tax, side.margin)),
        margin.id,
        tax.id,
    }


async def test_versions_are_counted_by_kind_and_subject(storage: Database) -> None:
    world, margin, tax = await plant_general(storage)
    async with storage.write() as transaction:
        await transaction.deductions.insert(create_tax(version=2))
        for taken in (create_margin(), create_tax(version=2), create_tax(world.left.organization)):
            with pytest.raises(AlreadyExists):
                await transaction.deductions.insert(taken)
        versions = [
            await transaction.deductions.get_last_version(EVERYTHING, kind, subject)
            for kind, subject in (
                (DeductionKind.TAX, EVERYBODY),
                (DeductionKind.MARGIN, EVERYBODY),
                (DeductionKind.TAX, world.left.tax.subject),
                (DeductionKind.MARGIN, world.left.tax.subject),
            )
        ]
    assert (versions, margin.subject, tax.subject) == ([2, 1, 1, 0], EVERYBODY, EVERYBODY)
