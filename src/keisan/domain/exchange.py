"""The five exchanges of a join: what a platform above knows of one below it, how far that is, and what is missing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import PlatformId


class Exchange(StrEnum):
    """What is exchanged, in order: who it is, whom it serves, what it has, what runs on it, what for."""

    PLATFORM = "platform"
    SUBJECTS = "subjects"
    RESOURCES = "resources"
    ECOSYSTEM = "ecosystem"
    SCENARIOS = "scenarios"


class ExchangeState(StrEnum):
    """How far an exchange is."""

    NOT_YET = "not_yet"
    PARTLY = "partly"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ExchangeFacts:
    """What is known here of a platform below. `is_introduced`: it has told who it is.

    `sites_told` are sites that it told of, `sites_partly` those of whose devices a part has not come; `regions_refused` are
    regions that it spoke of and may not, `registers_unread` what it told that could not be read.
    """

    is_introduced: bool = False
    is_heard: bool = False
    organization_count: int = 0
    provider_count: int = 0
    site_count: int = 0
    sites_told: int = 0
    sites_partly: int = 0
    regions_told: int = 0
    regions_refused: int = 0
    registers_unread: int = 0
    model_count: int = 0
    engine_count: int = 0
    scenario_count: int = 0


@dataclass(frozen=True, slots=True)
class ExchangeFinding:
    """How far one exchange is by what is known, and what is missing, in words."""

    exchange: Exchange
    state: ExchangeState
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExchangeMark:
    """Since when an exchange with a platform has been in its state, as this platform noticed."""

    platform_id: PlatformId
    exchange: Exchange
    state: ExchangeState
    since: datetime


# What must be so for an exchange to be done, and what is said where it is not.
_Rules = tuple[tuple[Callable[[ExchangeFacts], bool], str], ...]
_RULES: Mapping[Exchange, _Rules] = {
    Exchange.PLATFORM: (
        (lambda facts: facts.is_introduced, "it has not said who it is"),
        (lambda facts: facts.is_heard, "it is not heard"),
    ),
    Exchange.SUBJECTS: (
        (lambda facts: facts.organization_count > 0, "no organization"),
        (lambda facts: facts.provider_count > 0, "no provider"),
    ),
    Exchange.RESOURCES: (
        (lambda facts: facts.sites_told > 0, "no site"),
        (lambda facts: facts.regions_told > 0, "no region live"),
        (lambda facts: facts.sites_told >= facts.site_count, "sites without an inventory"),
        (lambda facts: not facts.sites_partly, "digests of devices are on their way"),
        (lambda facts: not facts.regions_refused, "it speaks of a region that is not its own"),
        (lambda facts: not facts.registers_unread, "some of what it told cannot be read"),
    ),
    Exchange.ECOSYSTEM: (
        (lambda facts: facts.model_count > 0, "no model offered"),
        (lambda facts: facts.engine_count > 0, "no engine"),
    ),
    Exchange.SCENARIOS: ((lambda facts: facts.scenario_count > 0, "nothing is deployed"),),
}
# What shows that an exchange has begun.
_BEGINNINGS: Mapping[Exchange, Callable[[ExchangeFacts], bool]] = {
    Exchange.PLATFORM: lambda facts: facts.is_introduced or facts.is_heard,
    Exchange.SUBJECTS: lambda facts: facts.organization_count + facts.provider_count > 0,
    Exchange.RESOURCES: lambda facts: facts.sites_told + facts.regions_told > 0,
    Exchange.ECOSYSTEM: lambda facts: facts.model_count + facts.engine_count > 0,
    Exchange.SCENARIOS: lambda facts: facts.scenario_count > 0,
}


def judge_exchanges(facts: ExchangeFacts) -> tuple[ExchangeFinding, ...]:
    """Return how far each of the five is."""
    return tuple(_judge(exchange, facts) for exchange in Exchange)


def _judge(exchange: Exchange, facts: ExchangeFacts) -> ExchangeFinding:
    missing = tuple(text for is_so, text in _RULES[exchange] if not is_so(facts))
    if not missing:
        return ExchangeFinding(exchange, ExchangeState.DONE, ())
    state = ExchangeState.PARTLY if _BEGINNINGS[exchange](facts) else ExchangeState.NOT_YET
    return ExchangeFinding(exchange, state, missing)
