"""What platforms say during a schedule: letters to one another, and registers that change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keisan.domain.letter import REGISTER_REACH, LetterKind, Reach
from keisan.domain.link_log import LinkLog
from tests.simulation.federation.newer import UNKNOWN_KIND

if TYPE_CHECKING:
    from tests.simulation.federation.disk import MemoryTransaction
    from tests.simulation.federation.platform import SimulatedPlatform
    from tests.simulation.federation.world import World

BODY_BYTES = (40, 400)
UNKNOWN_KIND_CHANCE = 0.2
FLOOD_REGISTERS = 24
NAMES = ("a", "b", "c")
REGISTER_KINDS = (
    LetterKind.OFFER,
    LetterKind.ROLL_UP,
    LetterKind.PRICE,
    LetterKind.POLICY,
    LetterKind.CREDIT,
)


def send_burst(world: World, number: int) -> None:
    """Have a platform say several things in one go."""
    platform = world.platforms[number]
    if not platform.is_up:
        return
    chance = world.kernel.random
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.6:
            _send_letters(world, platform)
        else:
            _change_register(world, platform)


def flood(world: World, number: int) -> None:
    """Have a platform change registers faster than a narrow link takes them, while letters wait beside them."""
    platform, chance = world.platforms[number], world.kernel.random
    if not platform.is_up:
        return
    _send_letters(world, platform)
    for _ in range(FLOOD_REGISTERS):
        _change_register(world, platform, kind=LetterKind.OFFER, name=f"flood{chance.randrange(FLOOD_REGISTERS)}")


def _make_body(world: World) -> bytes:
    chance = world.kernel.random
    return chance.randbytes(chance.randint(*BODY_BYTES))


def _send_letters(world: World, platform: SimulatedPlatform) -> None:
    chance = world.kernel.random
    audience = world.platforms[chance.choice([each for each in range(world.tree.size) if each != platform.number])].id
    log = chance.choice(list(LinkLog))
    bodies = [_make_body(world) for _ in range(chance.randint(1, 6))]

    kind: str = LetterKind.EVENT if log is LinkLog.EVENT else LetterKind.USAGE
    if platform.is_newer and chance.random() < UNKNOWN_KIND_CHANCE:
        kind = UNKNOWN_KIND

    async def write(transaction: MemoryTransaction) -> None:
        await platform.send(transaction, log, kind, audience, bodies)

    platform.transact(write)


def _change_register(world: World, platform: SimulatedPlatform, kind: LetterKind | None = None, name: str = "") -> None:
    chance = world.kernel.random
    kind, name, body = kind or chance.choice(REGISTER_KINDS), name or chance.choice(NAMES), _make_body(world)
    audience = None
    if REGISTER_REACH[kind] is Reach.AUDIENCE:
        other = chance.choice([each for each in range(world.tree.size) if each != platform.number])
        audience = world.platforms[other].id
        name = f"{name}{other}"

    async def write(transaction: MemoryTransaction) -> None:
        await platform.put(transaction, kind, name, body, audience)

    platform.transact(write)
