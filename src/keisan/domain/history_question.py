"""What history is asked: which fields of which devices, from when until when, in which steps, summed over what."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keisan.domain.errors import InvalidInput
from keisan.domain.history import DAY_MS, DEVICE_TIERS, HOUR_MS, MINUTE_MS, STEPS_MS, HistoryTerms, Tier
from keisan.domain.history_column import STATISTICS, Statistic
from keisan.domain.ids import SiteId
from keisan.domain.sample import SampleName

FIELDS_DEFAULT: Final = (
    SampleName.UTILIZATION_PERMILLE,
    SampleName.MEMORY_USED_MIB,
    SampleName.POWER_MILLIWATTS,
    SampleName.TEMPERATURE_MILLICELSIUS,
)
# Steps that are taken where none is asked for: the finest by which a range has at most so many.
STEPS_DEFAULT_MAX: Final = 1500
# Of sites and all above them fewer: from an hour on, they are read from rows of whole sites.
SITE_STEPS_DEFAULT_MAX: Final = 200
_STEPS_MS: Final = (10_000, MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, DAY_MS)
RANGE_MS_MAX: Final = 20 * 366 * DAY_MS


class HistoryGroup(StrEnum):
    """What rows are summed over."""

    DEVICE = "device"
    NODE = "node"
    SUPERNODE = "supernode"
    SITE = "site"
    REGION = "region"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class HistoryQuestion:
    """A question. `step_ms` 0 asks for samples as they are, None for a step that suits the range.

    `device`, `node` and `supernode` are hardware ids and a supernode's name; None is all. `sites` None is all sites.
    """

    fields: tuple[SampleName, ...]
    group: HistoryGroup
    since_ms: int
    until_ms: int
    step_ms: int | None = None
    regions: tuple[str, ...] | None = None
    sites: tuple[SiteId, ...] | None = None
    node: str | None = None
    device: str | None = None
    supernode: str | None = None

    @property
    def has_inventory(self) -> bool:
        """Tell whether it takes inventories to answer it."""
        named = (self.node, self.device, self.supernode)
        inner = {HistoryGroup.DEVICE, HistoryGroup.NODE, HistoryGroup.SUPERNODE}
        return self.group in inner or any(each is not None for each in named)

    @property
    def is_of_sites(self) -> bool:
        """Tell whether rows of whole sites answer it; counters rise from step to step device by device."""
        return not self.has_inventory and not any(_is_counter(name) for name in self.fields)


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """How a question is answered: of which tier, in which steps, 0 for samples as they are, over which whole steps."""

    tier: Tier
    step_ms: int
    since_ms: int
    until_ms: int


def _is_counter(name: SampleName) -> bool:
    return Statistic.GROWTH in STATISTICS[name]


def plan_question(question: HistoryQuestion, terms: HistoryTerms, now_ms: int) -> HistoryPlan:
    """Return the coarsest tier that answers in the step asked for, or the next one that is still kept for its begin.

    Raises InvalidInput for a range or a step that makes no sense.
    """
    range_ms = question.until_ms - question.since_ms
    if not 0 < range_ms <= RANGE_MS_MAX:
        raise InvalidInput(f"expected a range of more than 0 and at most {RANGE_MS_MAX // DAY_MS} days", "until")
    step_ms = _choose_step(question) if question.step_ms is None else question.step_ms
    if step_ms < 0 or (step_ms == 0 and question.group is not HistoryGroup.DEVICE):
        raise InvalidInput("expected a step of more than 0; samples as they are can be had by device", "step")
    # Days begin at midnight UTC, and so do steps of whole days.
    whole = (each for each in reversed(DEVICE_TIERS[1:]) if step_ms and step_ms % STEPS_MS[each] == 0)
    tier = next(whole, Tier.SAMPLE)
    tiers = DEVICE_TIERS
    while not _is_kept(tier, question.since_ms, terms, now_ms):
        tier = tiers[tiers.index(tier) + 1]
        step_ms = max(step_ms // STEPS_MS[tier], 1) * STEPS_MS[tier]
    if tier in {Tier.HOUR, Tier.DAY} and question.is_of_sites:
        tier = Tier.SITE_HOUR
    if step_ms == 0:
        return HistoryPlan(tier, 0, question.since_ms, question.until_ms)
    since_ms, until_ms = question.since_ms // step_ms * step_ms, -(-question.until_ms // step_ms) * step_ms
    return HistoryPlan(tier, step_ms, since_ms, until_ms)


def _choose_step(question: HistoryQuestion) -> int:
    most = SITE_STEPS_DEFAULT_MAX if question.is_of_sites else STEPS_DEFAULT_MAX
    range_ms = question.until_ms - question.since_ms
    return next((step_ms for step_ms in _STEPS_MS if range_ms // step_ms <= most), DAY_MS)


def _is_kept(tier: Tier, since_ms: int, terms: HistoryTerms, now_ms: int) -> bool:
    kept_ms = terms.find_kept_ms(tier)
    return kept_ms is None or since_ms >= now_ms - kept_ms
