"""The demo's traffic: organizations ask their platform's model short questions, one after the other."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count, cycle

from keisan.daemon.nation import NationPlatform
from keisan.daemon.nation_plan import MODEL
from keisan.domain.errors import KeisanError
from keisan.kit.clock import Clock
from keisan.kit.observe import write_warning
from keisan.sdk import AsyncKeisan, ChatMessage, ChatOptions

# Two of them take a tenth of a core.
PERIOD_S = 3.0
OUTPUT_TOKENS = 8
# Many models share two cores: what is slow has not failed.
CALL_S_MAX = 60.0
ANSWERED = "answered"


@dataclass(slots=True)
class Traffic:
    """What became of calls: how many were answered, and how many not, by the code of their error."""

    clock: Clock
    period_s: float = PERIOD_S
    outcomes: Counter[str] = field(default_factory=Counter)

    async def ask(self, platform: NationPlatform) -> None:
        """Have a platform's organizations ask in turn, until cancelled; a call that fails is counted, and the next is made."""
        for number, key in zip(count(1), cycle(platform.keys.values()), strict=False):
            try:
                await self._ask_once(platform, key, f"Name a thing that is number {number} on a list of fruits.")
                self.outcomes[ANSWERED] += 1
            except KeisanError as fault:
                self.outcomes[str(fault.code)] += 1
                write_warning("nation.call_failed", platform=platform.plan.code, fault=str(fault)[:300])
            await self.clock.sleep(self.period_s)

    def describe(self) -> str:
        """Return it in words."""
        return describe_outcomes(self.outcomes)

    async def _ask_once(self, platform: NationPlatform, key: str, question: str) -> None:
        kept = platform.read_operator()
        options = ChatOptions(output_tokens_max=OUTPUT_TOKENS, temperature=0.0)
        async with AsyncKeisan(
            str(kept.platform_url), key, gateway_url=kept.gateway_url, timeout_s=CALL_S_MAX
        ) as keisan:
            async for _ in keisan.gateways.chat(MODEL, [ChatMessage("user", question)], options):
                pass


def describe_outcomes(outcomes: Mapping[str, int]) -> str:
    """Return in words how many calls were answered and how many failed, and why."""
    failed = {code: count for code, count in outcomes.items() if code != ANSWERED}
    why = f" ({', '.join(sorted(failed))})" if failed else ""
    return f"{outcomes.get(ANSWERED, 0)} calls answered, {sum(failed.values())} failed{why}"
