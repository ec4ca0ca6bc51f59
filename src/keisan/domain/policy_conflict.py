"""When a policy can never match: its clauses, with those of the layers above it, leave no value of a fact."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from keisan.domain.chip import Chip
from keisan.domain.errors import InvalidInput
from keisan.domain.fact import SEVERAL_VALUED, FactName
from keisan.domain.limits import POLICY_CHARACTERS_MAX
from keisan.domain.policy import FIELD, Clause, Operator, Policy, is_matching


@dataclass(frozen=True, slots=True)
class Room:
    """What the clauses so far leave of one fact.

    A country holds its parts, so what is left of a fact with one value is a set of texts or places that do not overlap:
    of a country and a part of it, asked for by two clauses, the part. Of a fact with several values each `in` needs one
    value of its own that is not excluded, so there is a set for each.
    """

    fact: FactName
    is_none: bool = False
    excluded: frozenset[str] = frozenset()
    wanted: tuple[frozenset[str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether no candidate can be in it."""
        return not all(self.wanted) or (self.is_none and bool(self.wanted))

    def narrow(self, clause: Clause) -> "Room":
        """Return what one clause more leaves."""
        if clause.operator is Operator.NONE:
            return replace(self, is_none=True)
        values = frozenset(clause.values)
        if clause.operator is Operator.NOT_IN:
            excluded = self.excluded | values
            return replace(self, excluded=excluded, wanted=tuple(self._drop(each, excluded) for each in self.wanted))
        wanted = self._drop(values, self.excluded)
        if self.wanted and self.fact not in SEVERAL_VALUED:
            return replace(self, wanted=(self._keep(self.wanted[0], wanted) | self._keep(wanted, self.wanted[0]),))
        return replace(self, wanted=(*self.wanted, wanted))

    def _keep(self, values: AbstractSet[str], within: AbstractSet[str]) -> frozenset[str]:
        return frozenset(value for value in values if is_matching(self.fact, value, within))

    def _drop(self, values: AbstractSet[str], excluded: AbstractSet[str]) -> frozenset[str]:
        return frozenset(value for value in values if not is_matching(self.fact, value, excluded))


def find_conflict(layers: Iterable[Policy]) -> Clause | None:
    """Return the first clause that leaves nothing of what those before it allow; layers go from the widest down."""
    rooms: dict[FactName, Room] = {}
    for clause in (clause for policy in layers for clause in policy.clauses):
        # A bound on a number leaves all smaller ones, so no two exclude each other.
        if clause.operator is not Operator.AT_MOST:
            room = rooms.get(clause.fact, Room(clause.fact)).narrow(clause)
            if room.is_empty:
                return clause
            rooms[clause.fact] = room
    return None


def find_unknown(policy: Policy, chips: Mapping[str, Chip]) -> Clause | None:
    """Return the first clause that asks for chips, or for makers of chips, of which the catalogue knows none."""
    vendors = {value for chip in chips.values() for value in list_values(chip, FactName.VENDOR)}
    known: dict[FactName, AbstractSet[str]] = {FactName.CHIP: chips.keys(), FactName.VENDOR: vendors}
    for clause in policy.clauses:
        if clause.operator is Operator.IN and clause.fact in known and known[clause.fact].isdisjoint(clause.values):
            return clause
    return None


def list_values(chip: Chip, name: FactName) -> tuple[str, ...]:
    """Return what is known of a chip's fact, nothing where it is unknown."""
    fact = chip.facts.get(name)
    return () if fact is None else fact.values


def check_policy(policy: Policy, above: Sequence[Policy], chips: Mapping[str, Chip]) -> None:
    """Raise InvalidInput, naming the clause, for a policy that can never match below those `above` it.

    A policy without clauses asks for nothing, so it is never refused. One whose normalised text is too long to be read
    again is.
    """
    if not policy.clauses:
        return
    length = len(str(policy))
    if length > POLICY_CHARACTERS_MAX:
        raise InvalidInput(
            f"a policy has at most {POLICY_CHARACTERS_MAX} characters, this has {length} as stored", FIELD
        )
    unknown = find_unknown(policy, chips)
    if unknown is not None:
        raise InvalidInput(f"policy clause '{unknown}' can never hold: the catalogue knows none of these", FIELD)
    own = find_conflict([policy])
    if own is not None:
        raise InvalidInput(f"policy clause '{own}' can never hold together with those before it", FIELD)
    conflict = find_conflict([*above, policy])
    if conflict is not None:
        raise InvalidInput(f"policy clause '{conflict}' can never hold together with the policies above it", FIELD)
