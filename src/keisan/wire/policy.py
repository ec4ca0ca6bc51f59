"""Policies on the wire: one text form everywhere, parsed by keisan.domain.policy."""

from typing import Annotated

from pydantic import StringConstraints

from keisan.domain.limits import POLICY_CHARACTERS_MAX
from keisan.domain.policy import Outcome
from keisan.wire.base import WireInput, WireView

PolicyText = Annotated[str, StringConstraints(max_length=POLICY_CHARACTERS_MAX)]


class PolicyQuery(WireInput):
    """A policy to look at."""

    policy: PolicyText = ""


class PolicyChipView(WireView):
    """What a policy says of a chip, as far as it speaks of chips; `clause` is the first that does not hold."""

    chip: str
    outcome: Outcome
    clause: str | None


class PolicyView(WireView):
    """A policy that can be set: its normalised text, its clauses, and what it says of each chip of the catalogue."""

    policy: str
    clauses: tuple[str, ...]
    chips: tuple[PolicyChipView, ...]
