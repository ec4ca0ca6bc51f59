"""What must hold once all faults have stopped: everything has arrived once in effect, and all remember the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keisan.domain.ids import LetterId, PlatformId
from keisan.domain.letter import REGISTER_REACH, Letter, LetterKind, Reach
from keisan.domain.link import LinkState
from keisan.domain.link_log import LinkLog
from tests.simulation.federation.world import has_arrived

if TYPE_CHECKING:
    from tests.simulation.federation.platform import SimulatedPlatform
    from tests.simulation.federation.world import World


def list_differences(world: World) -> list[str]:
    """Return what is not yet as it must be; nothing once all have converged."""
    return [
        *_list_connections(world),
        *_list_logs(world),
        *_list_letters(world),
        *_list_registers(world),
        *world.market.list_problems(),
        *world.granting.list_problems(),
        *world.sites.list_problems(),
        *world.forwarding.problems,
        *world.office.list_problems(),
    ]


def _list_connections(world: World) -> list[str]:
    found = []
    for platform in world.platforms:
        for number, link in platform.links.items():
            if platform.number in world.platforms[number].links and not any(
                each.link.id == link.id and each.is_met for each in platform.sessions
            ):
                found.append(f"{platform.number} does not hear {number}")
    return found


def _list_logs(world: World) -> list[str]:
    found = []
    for platform in world.platforms:
        for number, link in platform.links.items():
            other = world.platforms[number]
            back = other.links.get(platform.number)
            if back is None:
                continue
            for log in LinkLog:
                outgoing = platform.disk.tables.links.outgoing.get((link.id, log))
                end = outgoing.tell_end() if outgoing else None
                incoming = other.disk.tables.links.incoming.get((back.id, log))
                cursor = incoming.cursor if incoming else None
                sent = (end.incarnation, end.sequence, end.hash) if end and end.sequence else None
                applied = (cursor.incarnation, cursor.sequence, cursor.hash) if cursor and cursor.sequence else None
                if sent != applied:
                    found.append(
                        f"{log} of {platform.number} to {number}: {sent and sent[1]} sent, {applied and applied[1]} applied"
                    )
    return found


def _list_letters(world: World) -> list[str]:
    numbers = {platform.id: platform.number for platform in world.platforms}
    found = []
    in_suspense = _list_in_suspense(world)
    for letter_id, letter in world.sent.items():
        assert letter.audience is not None
        if {numbers[letter.author], numbers[letter.audience]} & world.revoked:
            continue
        audience = world.platforms[numbers[letter.audience]]
        times = has_arrived(letter, audience.disk.tables)
        if times != 1 and not (times == 0 and (letter_id in world.gone or letter_id in in_suspense)):
            found.append(f"letter {letter_id} of {numbers[letter.author]} to {audience.number}: applied {times} times")
    return found


def _list_in_suspense(world: World) -> set[LetterId]:
    """Return the letters that a move has left in the logs between a platform and the parent that it has left: they are kept there."""
    move = world.office.move
    if move is None:
        return set()
    return {
        each.letter.id
        for platform in (move.child, move.old)
        for (link_id, _), log in platform.disk.tables.links.outgoing.items()
        if platform.disk.tables.neighbours[link_id].state is LinkState.LEFT
        for each in log.kept
    }


def _list_registers(world: World) -> list[str]:
    """Compare what each platform has of each author with what that author says, as far as its kind reaches."""
    found = []
    numbers = {platform.id: platform.number for platform in world.platforms}
    for platform in world.list_members():
        registers = platform.disk.tables.links.registers.items()
        held = {key: each.mark for key, each in registers if not _is_towards_revoked(world, each.letter)}
        held_letters = {key: each.letter for key, each in registers}
        expected = {}
        for author in world.platforms:
            for key, each in author.disk.tables.links.registers.items():
                is_own = key.author == author.id and not _is_towards_revoked(world, each.letter)
                if is_own and _is_reached(world, author.number, platform.number, each.letter):
                    expected[key] = each.mark
        for key in sorted(held.keys() | expected.keys()):
            if numbers[key.author] in world.revoked and numbers[key.author] != platform.number:
                continue
            if held.get(key) == expected.get(key) or _is_forgotten(world, key.author, held_letters.get(key)):
                continue
            if key in expected or not _is_left_behind(world, platform, key.author, held_letters[key]):
                found.append(
                    f"register {key.kind} {key.name} of {numbers[key.author]} at {platform.number}: "
                    f"{_describe(held.get(key))} for {_describe(expected.get(key))}"
                )
    return found


def _is_left_behind(world: World, holder: SimulatedPlatform, author: PlatformId, letter: Letter) -> bool:
    """Tell whether a register is where a move has left it: nobody takes back what was said before (Q144)."""
    move = world.office.move
    return move is not None and (move.child is holder or move.child.id in (author, letter.audience))


def _is_forgotten(world: World, author: PlatformId, letter: Letter | None) -> bool:
    """Tell whether an author lost its disk before it moved, or was left: of a word that only the other has, it never hears again."""
    move = world.office.move
    if move is None or world.numbers[author] not in world.rolled_back:
        return False
    is_between = letter is not None and letter.audience == move.child.id
    return author == move.child.id or (author == move.old.id and is_between)


def _describe(mark: object) -> str:
    return "none" if mark is None else f"version {mark.version}"  # type: ignore[attr-defined]  # a RegisterMark


def _is_towards_revoked(world: World, letter: Letter) -> bool:
    return letter.audience is not None and world.numbers[letter.audience] in world.revoked


def _is_reached(world: World, author: int, holder: int, letter: Letter) -> bool:
    if author == holder:
        return True
    match REGISTER_REACH[LetterKind(letter.kind)]:
        case Reach.ALL:
            return True
        case Reach.UP:
            return holder in world.tree.list_ancestors(author)
        case Reach.DOWN:
            return author in world.tree.list_ancestors(holder)
        case Reach.AUDIENCE:
            assert letter.audience is not None
            return holder in world.tree.find_path(author, world.numbers[letter.audience])
