"""Whose records a gateway may hand in."""

from dataclasses import replace

from keisan.ledger.intake_facts import load_facts
from keisan.storage.database import Database
from tests.domain.samples import name_id
from tests.factories import NOW, create_machine, plant_world


async def test_facts_are_those_that_contexts_name(storage: Database) -> None:
    world = await plant_world(storage)
    revoked, agent = replace(create_machine(), revoked_at=NOW), replace(create_machine(world.left.site), revoked_at=NOW)
    living = create_machine()
    async with storage.write() as transaction:
        for machine in (revoked, agent, living):
            await transaction.machines.insert(machine)
    own = world.left.record.context
    others = [replace(own, gateway_id=machine.id) for machine in (revoked, agent, living)]
    stranger = replace(own, gateway_id=name_id(4, 9), key_id=name_id(3, 9), price_id=name_id(10, 9))  # type: ignore[arg-type]  # any ids
    async with storage.read() as view:
        facts = await load_facts(view, world.gateway.id, [own, *others, stranger])
    assert facts.gateway_ids == {world.gateway.id, revoked.id}
    assert facts.keys == {world.left.key.id: world.left.key}
    assert facts.prices == {world.price.id: world.price}
    assert facts.replicas == {world.left.replica.id: world.left.replica}
    assert facts.platform_id == world.platform.id
