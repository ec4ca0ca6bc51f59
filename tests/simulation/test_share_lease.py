"""Shares of limits through silence, delay, loss, restarts and clocks that are set: never more than the whole is in use.

The platform's side is the real one on SQLite. A gateway here does what relay and shell do together: it uses what it was
told for one lease from its report, by a clock that no one sets, and names all that it may be using.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from keisan.domain.call_limits import CallLimits
from keisan.domain.errors import StateConflict
from keisan.domain.share import SHARE_WHOLE_PPM
from keisan.kit.ids import create_id
from keisan.ledger.credit import exchange_credit
from keisan.wire.credit import CreditAnswer, CreditReport
from tests.factories import World
from tests.ledger.credit_world import TERMS, Gateway, add_gateway
from tests.ledger.intake_world import open_world, plant_template
from tests.ledger.test_credit import MEMORY

LIMITS = CallLimits(requests_per_minute=1000, tokens_per_minute=50, calls_open_max=2000)
KINDS = ("requests", "tokens", "calls")
GATEWAY_COUNT = 3
PAUSES_S = (1, 10, 60, TERMS.lease_s // 2, TERMS.lease_s, TERMS.lease_s + TERMS.lateness_s, 3 * TERMS.lease_s)
GATEWAYS = st.integers(0, GATEWAY_COUNT - 1)


@dataclass
class Asked:
    """A report on its way, made at `asked_at_s`, or the answer to it."""

    report: CreditReport
    asked_at_s: float
    answer: CreditAnswer | None = None


@dataclass
class Sharer:
    """A gateway's shares: those that it was told of by name, that of all other limits, and until when they hold."""

    gateway: Gateway
    named: dict[str, int] = field(default_factory=dict)
    default_ppm: int = 0
    leased_until_s: float = 0.0
    asked: Asked | None = None

    def hold(self, limit_id: str) -> int:
        return self.named.get(limit_id, self.default_ppm)

    def use(self, limit_id: str, now_s: float) -> int:
        return self.hold(limit_id) if now_s < self.leased_until_s else 0

    def ask(self, demands: dict[str, int], now_s: float, *, is_last: bool = False) -> None:
        if now_s >= self.leased_until_s:
            self.named, self.default_ppm = {}, 0
        lines = [
            {"limit_id": name, "share_ppm": self.hold(name), "demand_per_minute": demand}
            for name, demand in demands.items()
            if demand or self.hold(name) > self.default_ppm
        ]
        report = self.gateway.report(rates=lines, default_share_ppm=self.default_ppm, is_last=is_last)
        self.asked = Asked(report, now_s)

    def hear(self) -> None:
        """Put the answer in force: a limit that it does not name keeps its share."""
        if self.asked is not None and self.asked.answer is not None:
            answer = self.asked.answer
            self.named |= {line.limit_id: line.share_ppm for line in answer.rates}
            self.default_ppm = answer.default_share_ppm
            self.leased_until_s = self.asked.asked_at_s + answer.lease_s
        self.asked = None


class Shares(RuleBasedStateMachine):
    """`now_s` is true time; the platform's clock may be set, but not further ahead than the window makes up for."""

    template: ClassVar[Path]
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.stack = AsyncExitStack()
        opening = open_world(Path(self.folder.name) / "keisan.db", self.template, self.world)
        self.ledger = self.runner.run(self.stack.enter_async_context(opening))
        self.runner.run(self.set_limits())
        first = Gateway(self.world.gateway.id, self.ledger)
        others = [self.runner.run(add_gateway(self.ledger)) for _ in range(GATEWAY_COUNT - 1)]
        self.sharers = [Sharer(gateway) for gateway in (first, *others)]
        self.limit_ids = [f"key:{self.world.left.key.id}:{kind}" for kind in KINDS]
        self.now_s = 0.0
        self.ahead_s = 0.0
        self.late: list[tuple[Sharer, CreditReport]] = []

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    async def set_limits(self) -> None:
        key = self.world.left.key
        async with self.ledger.storage.write() as transaction:
            await transaction.keys.update(replace(key, limits=LIMITS, version=key.version + 1))

    def deliver(self, sharer: Sharer, report: CreditReport) -> CreditAnswer | None:
        storage, clock = self.ledger.storage, self.ledger.clock
        try:
            return self.runner.run(exchange_credit(storage, clock, TERMS, sharer.gateway.gateway_id, report))
        except StateConflict:
            return None

    @rule(number=GATEWAYS, demand=st.sampled_from([0, 1, 20, 900, 5000]), kind=st.sampled_from(KINDS))
    def ask(self, number: int, demand: int, kind: str) -> None:
        sharer = self.sharers[number]
        if sharer.asked is None:
            demands = {name: demand if name.endswith(kind) else 0 for name in self.limit_ids}
            sharer.ask(demands, self.now_s)

    @rule(number=GATEWAYS)
    def answer(self, number: int) -> None:
        """The report arrives, and the answer is on its way."""
        asked = self.sharers[number].asked
        if asked is not None and asked.answer is None:
            asked.answer = self.deliver(self.sharers[number], asked.report)

    @rule(number=GATEWAYS)
    def hear(self, number: int) -> None:
        """The answer arrives; or it was too late, and what was asked counts as unanswered."""
        self.sharers[number].hear()

    @rule(number=GATEWAYS, demand=st.sampled_from([0, 20, 5000]), kind=st.sampled_from(KINDS))
    def exchange(self, number: int, demand: int, kind: str) -> None:
        self.hear(number)
        self.ask(number, demand, kind)
        self.answer(number)
        self.hear(number)

    @rule(number=GATEWAYS)
    def give_up(self, number: int) -> None:
        """Nobody waits for the answer any more; the report may yet arrive."""
        sharer = self.sharers[number]
        if sharer.asked is not None:
            self.late.append((sharer, sharer.asked.report))
            sharer.asked = None

    @rule()
    def deliver_late(self) -> None:
        if self.late:
            self.deliver(*self.late.pop(0))

    @rule(number=GATEWAYS)
    def restart(self, number: int) -> None:
        """Die without a word: what stands on disk is in force again, for the rest of its lease."""
        self.give_up(number)
        self.sharers[number].gateway.restart()

    @rule(number=GATEWAYS)
    def end(self, number: int) -> None:
        """Let go of all shares, say so, and begin again."""
        sharer = self.sharers[number]
        sharer.named, sharer.default_ppm, sharer.leased_until_s = {}, 0, 0.0
        sharer.ask({}, self.now_s, is_last=True)
        assert sharer.asked is not None
        self.deliver(sharer, sharer.asked.report)
        sharer.asked = None
        sharer.gateway.incarnation, sharer.gateway.sequence = create_id(), 0

    @rule(pause_s=st.sampled_from(PAUSES_S))
    def pass_time(self, pause_s: int) -> None:
        self.now_s += pause_s
        self.runner.run(self.ledger.clock.sleep(pause_s))

    @rule(
        step_s=st.sampled_from([-TERMS.lateness_s, -TERMS.lateness_s // 2, 60, TERMS.lateness_s // 2, TERMS.lateness_s])
    )
    def set_platform_clock(self, step_s: int) -> None:
        if abs(self.ahead_s + step_s) <= TERMS.lateness_s / 2:
            self.ahead_s += step_s
            self.runner.run(self.ledger.clock.sleep(step_s))

    @invariant()
    def no_more_than_the_whole_is_in_use(self) -> None:
        for limit_id in self.limit_ids:
            used = [sharer.use(limit_id, self.now_s) for sharer in self.sharers]
            assert sum(used) <= SHARE_WHOLE_PPM, (limit_id, used)


def test_no_limit_is_used_twice_whatever_happens(tmp_path: Path) -> None:
    Shares.template = tmp_path / "template.db"
    Shares.world = asyncio.run(plant_template(Shares.template))
    run_state_machine_as_test(Shares, settings=settings(max_examples=60, stateful_step_count=40))
