"""Driving a simulated fleet: a frame each period, a cut holds back, what was held follows, and the truth is written down."""

import io
import json
from dataclasses import dataclass, field

from keisan.agent.frame_feed import FrameFeed
from keisan.daemon.simulate import KINDS
from keisan.daemon.simulated_feed import Cut, SimulatedFeed
from keisan.daemon.simulated_fleet import FleetPlan, SimulatedSite, plan_sites
from keisan.devices.simulated_sampler import FaultRates
from keisan.domain.frame import FrameOutcome
from keisan.domain.sample import FIELD_INDEX, SampleName
from keisan.wire.frame import decode_frame
from tests.factories import FixedClock

PLAN = FleetPlan(1, 64, 1, 10_000, 1, FaultRates())


@dataclass
class Link:
    """A platform that takes everything, and notes when."""

    clock: FixedClock
    taken: list[tuple[float, bytes]] = field(default_factory=list)

    async def send_inventory(self, body: bytes) -> None:
        raise AssertionError(len(body))

    async def send_frame(self, body: bytes) -> FrameOutcome:
        self.taken.append((self.clock.monotonic_s(), body))
        return FrameOutcome.LIVE


async def test_one_site_through_a_cut() -> None:
    clock, truth = FixedClock(), io.StringIO()
    link = Link(clock)
    feed = SimulatedFeed(PLAN, clock, (Cut("CN-SX", 15, 35),), truth)
    site = SimulatedSite(PLAN, plan_sites(PLAN, KINDS)[0])
    way = FrameFeed(link, lambda: b"")
    await feed.run({site: ("the-site", way)}, 60)
    heads = [(at_s, decode_frame(body)[0]) for at_s, body in link.taken]
    first = heads[0][1].sequence
    # The third and fourth were held back, and follow the fifth.
    assert [(at_s, head.sequence - first) for at_s, head in heads] == [
        (0, 0),
        (10, 1),
        (40, 4),
        (40, 2),
        (40, 3),
        (50, 5),
    ]
    assert (feed.counts.frames, feed.counts.held, feed.counts.samples, way.waiting_frames) == (4, 2, 256, 0)
    told = [json.loads(line) for line in truth.getvalue().splitlines()]
    sent = {head.sampled_at_ms: body for (_, head), (_, body) in zip(heads, link.taken, strict=True)}
    assert [line["site_id"] for line in told] == ["the-site"] * 6
    for line in told:
        _, numbers, values = decode_frame(sent[line["sampled_at_ms"]])
        tokens_per_s = int(values[FIELD_INDEX[SampleName.TOKENS_PER_S]].sum())
        assert (line["devices"], line["tokens_per_s"]) == (len(numbers), tokens_per_s)
