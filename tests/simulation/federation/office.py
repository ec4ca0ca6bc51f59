"""What people and reconcilers do about links: certificates are renewed, and a platform moves to another parent.

The reconciler of a link, the answers of a parent and the commands of people are the product's own. A question is one exchange: it
may be lost, and so may its answer.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast
from uuid import UUID

from keisan.control.departure import DepartureWorks, StepOutcome
from keisan.control.invitation import create_invitation
from keisan.control.link_ask import AUTHORITY_SERIAL, answer_question
from keisan.control.link_join import move_parent
from keisan.control.link_review import approve_link
from keisan.control.reconcilers.link import LinkReconciler
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.departure import StepName, is_goodbye_owed
from keisan.domain.errors import Failed, KeisanError, PlatformUnreachable
from keisan.domain.grant import HOLDING_STATES, GrantState
from keisan.domain.limits import LINK_CERTIFICATE_S
from keisan.domain.link import Link, LinkSide, LinkState, is_certificate_due
from keisan.domain.platform import PlatformKind
from keisan.federation.certificate import (
    CertificateHolder,
    Standing,
    build_authority,
    issue_certificate,
    judge_certificate,
    parse_certificate,
)
from keisan.federation.rule_grant import move_grant
from keisan.wire.invitation import InvitationCreate
from keisan.wire.link_view import LinkApproval, LinkJoin
from tests.simulation.federation import granting
from tests.simulation.federation.counter import State
from tests.simulation.federation.task import Pause

if TYPE_CHECKING:
    from keisan.control.context import Control
    from keisan.domain.ids import LinkId
    from keisan.domain.key import Secret
    from keisan.storage.base import Transaction
    from tests.simulation.federation.disk import MemoryTransaction
    from tests.simulation.federation.platform import SimulatedPlatform
    from tests.simulation.federation.world import World

PEOPLE = Principal(UUID(int=1), PlatformScope(), frozenset({Right.WRITE_LINKS}))
LIFE = timedelta(seconds=LINK_CERTIFICATE_S)
LOOK_MS, PEOPLE_MS = (200, 1_500), (100, 700)
ANSWER_MS, ANSWER_LOOKS_MAX = 25, 60


@dataclass(slots=True)
class Move:
    """A platform that moves; `token` is the invitation of the parent that it moves to, once there is one."""

    child: SimulatedPlatform
    old: SimulatedPlatform
    new: SimulatedPlatform
    token: Secret | None = None
    is_done: bool = False

    @property
    def is_half_done(self) -> bool:
        """Tell whether it leaves one parent, and has not left it."""
        link = self.child.links.get(self.old.number)
        return link is not None and link.state is LinkState.LEAVING

    def has_platform(self, number: int) -> bool:
        """Tell whether a platform has a part in it."""
        return number in (self.child.number, self.old.number, self.new.number)


class Office:
    """The questions, the renewals and the move of one schedule."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.problems: list[str] = []
        self.move: Move | None = None
        # Children that have asked their parents something: their clocks count.
        self.asking: set[int] = set()
        self._planned: set[tuple[int, LinkId]] = set()

    # Certificates.

    def age(self, child: SimulatedPlatform, parent: SimulatedPlatform, left_ms: int) -> None:
        """Let a child's certificate be one that was issued long ago, and of whose life so much is left."""
        self.asking.add(child.number)
        link, now = child.links[parent.number], parent.clock.now()
        own = parent.control.get_identity()
        holder = CertificateHolder(child.id, link.region, link.prefix, child.control.get_identity().link_key)
        issued_at = now - LIFE + timedelta(milliseconds=left_ms)
        certificate = issue_certificate(
            own.signer, own.platform_id, holder, self.world.kernel.create_id().int, issued_at
        )
        ca = build_authority(own.signer, own.platform_id, AUTHORITY_SERIAL)
        for platform, other in ((child, parent), (parent, child)):
            link_id = platform.links[other.number].id

            async def write(transaction: MemoryTransaction, link_id: LinkId = link_id) -> None:
                kept = await transaction.links.get(PlatformScope(), link_id)
                aged = replace(kept, certificate=certificate, certificate_ends_at=issued_at + LIFE, ca=ca)
                await transaction.links.update(replace(aged, link_key=holder.public_key, version=kept.version + 1))

            platform.transact(write)

    def is_expected(self, child: SimulatedPlatform, link: Link, parent: SimulatedPlatform, back: Link) -> bool:
        """Tell whether a parent takes a child's connection, by the certificate that it shows; else the child asks for another."""
        if not link.certificate:
            return True
        shown = parse_certificate(link.certificate, parent.chain.keys)
        standing = judge_certificate(shown, back.link_key, parent.clock.now())
        if standing is Standing.GOOD and shown.ends_at <= parent.clock.now():
            self.problems.append(
                f"{parent.number} takes a connection of {child.number} by a certificate that has ended"
            )
        self.world.tally.states[State.CERTIFICATE_ENDED] += standing is Standing.RENEW
        if standing is not Standing.GOOD:
            self.plan(child, link.id)
        return standing is Standing.GOOD

    # Questions.

    def resume(self, platform: SimulatedPlatform) -> None:
        """Go on, after a start, with the links that are not as they should be."""
        for link in platform.disk.tables.neighbours.values():
            if needs_work(link, platform):
                self.plan(platform, link.id)

    def plan(self, platform: SimulatedPlatform, link_id: LinkId) -> None:
        """Look at a link in a while, once."""
        key, kernel = (platform.number, link_id), self.world.kernel
        if key in self._planned:
            return
        self._planned.add(key)

        def look() -> None:
            self._planned.discard(key)
            if platform.is_up:
                platform.do(self._reconcile(platform, link_id))

        kernel.call_in(kernel.random.randint(*LOOK_MS), look)

    async def _reconcile(self, platform: SimulatedPlatform, link_id: LinkId) -> None:
        """Let the product's reconciler take one step with a link to a parent, and look again as long as there is something to do."""
        reconciler = LinkReconciler(platform.control, lambda url, letter: self._ask(platform, url, letter), WORKS)
        async with platform.disk.read() as view:
            state = await reconciler.load(cast("Transaction", view), link_id)
        if state is None:
            return
        work = await reconciler.perform(reconciler.decide(state, platform.clock.now()))
        try:
            async with platform.disk.write() as transaction:
                await reconciler.apply(cast("Transaction", transaction), work, platform.clock.now())
        except KeisanError:
            self.plan(platform, link_id)
            return
        after = platform.disk.tables.neighbours[link_id]
        self.world.tally.states[State.CERTIFICATE_RENEWED] += _is_renewed(state.link, after)
        for link in platform.disk.tables.neighbours.values():
            if needs_work(link, platform):
                self.plan(platform, link.id)
            elif link.is_open and link.side is LinkSide.PARENT:
                platform.redial(link.id)

    async def _ask(self, platform: SimulatedPlatform, url: str, letter: bytes) -> bytes:
        """Ask a parent over a network that may lose the question, or the answer; raises as the product's dialler does."""
        network, other = self.world.network, self.world.platforms[read_url(url)]
        answered: list[bytes | KeisanError] = []
        await Pause(network.draw_latency_ms())
        self.asking.add(platform.number)
        if not other.is_up or not network.can_reach(platform.number, other.number):
            raise PlatformUnreachable("the parent does not answer")
        other.do(_answer(other, letter, answered))
        for _ in range(ANSWER_LOOKS_MAX):
            await Pause(ANSWER_MS)
            if answered:
                break
        if not answered or not network.can_reach(platform.number, other.number):
            raise PlatformUnreachable("the parent does not answer")
        (answer,) = answered
        if isinstance(answer, KeisanError):
            raise Failed("the parent refused", answer.code)
        return answer

    # A move.

    def begin_move(self, child: int, old: int, new: int) -> Move:
        """Have people move a platform to another parent."""
        platforms = self.world.platforms
        self.move = Move(platforms[child], platforms[old], platforms[new])
        self._let_people_work(self.move)
        return self.move

    def _let_people_work(self, move: Move) -> None:
        """Let people do what is next: invite, ask, approve; again, until it is done."""
        kernel = self.world.kernel
        link, back = move.child.links.get(move.old.number), _find_child(move.new, move.child)
        if move.token is None:
            _do(move.new, self._invite(move))
        elif link is not None and link.state is LinkState.JOINED:
            _do(move.child, self._ask_to_move(move, link.id))
        elif back is not None and back.state is LinkState.REQUESTED:
            _do(move.new, self._approve(move, back.id))
        elif link is None and move.new.number in move.child.links:
            move.is_done = True
            self.world.tree = self.world.tree.move(move.child.number, move.new.number)
            return
        kernel.call_in(kernel.random.randint(*PEOPLE_MS), lambda: self._let_people_work(move))

    async def _invite(self, move: Move) -> None:
        body = InvitationCreate(url=name_url(move.new.number), prefix=f"m{move.child.number}")
        created = await create_invitation(move.new.control, PEOPLE, body)
        move.token = created.token

    async def _ask_to_move(self, move: Move, link_id: LinkId) -> None:
        """Ask to move as an industry platform: no region of the other parent's is taken from another child."""
        assert move.token is not None
        async with move.child.disk.write() as transaction:
            transaction.tables.platform = replace(transaction.tables.platform, kind=PlatformKind.INDUSTRY)
        await move_parent(move.child.control, PEOPLE, link_id, LinkJoin(token=move.token.reveal()))
        self.resume(move.child)

    async def _approve(self, move: Move, link_id: LinkId) -> None:
        await approve_link(move.new.control, PEOPLE, link_id, LinkApproval())

    def list_problems(self) -> list[str]:
        """Return what is wrong: a move that never ends, and connections that should not have been."""
        found = list(self.problems)
        if self.move is not None and not self.move.is_done:
            found.append(f"the move of {self.move.child.number} to {self.move.new.number} does not end")
        return found


async def _answer(platform: SimulatedPlatform, letter: bytes, answered: list[bytes | KeisanError]) -> None:
    try:
        answered.append(await answer_question(platform.control, letter))
    except KeisanError as fault:
        answered.append(fault)


async def _end_grants(transaction: Transaction, control: Control, link: Link) -> StepOutcome:
    """End what the parent was granted, as this platform leaves it."""
    memory = cast("MemoryTransaction", transaction)
    grant = granting.find_grant(memory.tables)
    if grant is not None and grant.state in HOLDING_STATES:
        ended = move_grant(grant, GrantState.RELEASED, "this platform leaves its parent")
        memory.notes["grant"] = ended
        await granting.tell(memory, memory.world.platforms[memory.world.numbers[control.platform_id]], ended)
    return StepOutcome(True)


WORKS = DepartureWorks({StepName.END_GRANTS: _end_grants})


def _do(platform: SimulatedPlatform, work: Coroutine[object, None, None]) -> None:
    """Have somebody give a command, if the platform is up; what it refuses is tried again later."""

    async def run() -> None:
        try:
            await work
        except KeisanError:
            return

    if platform.is_up:
        platform.do(run())
    else:
        work.close()


def _find_child(parent: SimulatedPlatform, child: SimulatedPlatform) -> Link | None:
    """Return the newest link of a parent to a child, open or not."""
    found = [each for each in parent.disk.tables.neighbours.values() if each.neighbour_id == child.id]
    return found[-1] if found else None


def _is_renewed(before: Link, after: Link) -> bool:
    return bool(before.certificate) and before.certificate != after.certificate


def needs_work(link: Link, platform: SimulatedPlatform) -> bool:
    """Tell whether a link to a parent waits for something: for an approval, for the end of a departure, for a certificate."""
    if link.side is not LinkSide.PARENT or is_goodbye_owed(link.departure):
        return link.side is LinkSide.PARENT
    ends_at = link.certificate_ends_at
    is_due = ends_at is not None and is_certificate_due(ends_at - LIFE, ends_at, platform.clock.now())
    return link.state in (LinkState.REQUESTED, LinkState.LEAVING) or (link.state is LinkState.JOINED and is_due)


def name_url(number: int) -> str:
    """Return where a platform's API is."""
    return f"https://p{number}.invalid"


def read_url(url: str) -> int:
    """Return which platform's API is there."""
    return int(url.removeprefix("https://p").removesuffix(".invalid"))
