"""Registers on NATS: any text may be in a key, and those who read apart see the same."""

from keisan.domain.ids import LinkId
from keisan.domain.register import RegisterKey
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.streams.nats import NatsStreams
from keisan.streams.nats_register import PLACE_CHARACTERS, find_key, name_place
from tests.letters import NORTH, SOUTH, write_register
from tests.nats import NatsServer


def test_a_place_is_one_word_for_any_key() -> None:
    keys = [
        RegisterKey(NORTH, "offer", "*"),
        RegisterKey(NORTH, "off", "er*"),
        RegisterKey(NORTH, "offer", "> . \u5927"),
    ]
    places = [name_place(key) for key in keys]
    assert len(set(places)) == 3
    assert {len(place) for place in places} == {PLACE_CHARACTERS}
    assert all(place.isalnum() for place in places)


async def test_who_reads_apart_sees_what_one_carried(sqlite_storage: Database, nats_server: NatsServer) -> None:
    one, other = (NatsStreams(sqlite_storage, nats_server.url, NORTH) for _ in range(2))
    own, foreign = write_register(NORTH), write_register(SOUTH)
    link_id = LinkId(create_id())
    async with sqlite_storage.write() as transaction:
        await transaction.registers.put(own, None)
        await transaction.registers.put(foreign, link_id)
    assert await one.carry() == 2
    assert await one.carry() == await other.carry() == 0
    assert list(await other.watch("offer", {})) == [own, foreign]
    async with sqlite_storage.write() as transaction:
        await transaction.registers.forget_source(link_id)
    assert await one.carry() == 1
    assert await other.find(find_key(foreign)) is None
    assert await other.find(find_key(own)) == own
    for each in (one, other):
        await each.close()
