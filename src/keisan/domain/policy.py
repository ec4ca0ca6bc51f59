"""A policy: clauses on facts with evidence, all of which must hold (DESIGN D15). crates/route/src/policy.rs is its twin.

Clauses are joined by ";": `FACT in VALUES`, `FACT not in VALUES`, `advisory none`, `attestation_age_s <= NUMBER`, each
with an optional `@ GRADE`. White space (blank, tab, line end) is free around words; blank clauses are ignored.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Grade
from keisan.domain.fact import PLACES, Fact, FactName
from keisan.domain.limits import POLICY_CHARACTERS_MAX, POLICY_CLAUSES_MAX

FIELD = "policy"
SPACES = " \t\r\n"
_S = f"[{SPACES}]"
_VALUE = "[A-Za-z0-9._:/-]+"
_GRADE = f"(?:{_S}*@{_S}*(?P<grade>[A-Z]))?"
# 18 digits fit a signed integer of 64 bits.
_CLAUSE = re.compile(
    rf"(?P<fact>[A-Za-z0-9_]+)(?:{_S}+(?P<operator>in|not{_S}+in){_S}+(?P<values>{_VALUE}(?:{_S}*,{_S}*{_VALUE})*)"
    rf"|{_S}+(?P<none>none)|{_S}*<={_S}*(?P<bound>[0-9]{{1,18}})){_GRADE}"
)


class Operator(StrEnum):
    """What a clause asks of its fact."""

    IN = "in"
    NOT_IN = "not in"
    NONE = "none"
    AT_MOST = "<="


class Outcome(StrEnum):
    """What a clause says of a candidate. Unknown is no better than fails: only what holds admits."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Clause:
    """`values` are those of `in` and `not in`, `bound` that of `<=`; `grade` None takes evidence of any grade."""

    fact: FactName
    operator: Operator
    values: tuple[str, ...] = ()
    bound: int = 0
    grade: Grade | None = None

    def __str__(self) -> str:
        operand = str(self.bound) if self.operator is Operator.AT_MOST else ", ".join(self.values)
        grade = f"@ {self.grade}" if self.grade is not None else ""
        return " ".join(word for word in (self.fact, self.operator, operand, grade) if word)


@dataclass(frozen=True, slots=True)
class Policy:
    """Its text, str(policy), is normalised: the same clauses in the same order give the same text."""

    clauses: tuple[Clause, ...] = ()

    def __str__(self) -> str:
        return "; ".join(str(clause) for clause in self.clauses)


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """What is known of a candidate; `attestation_age_s` None means that it was never attested."""

    known: Mapping[FactName, Fact]
    attestation_age_s: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """`clause` is the first that does not hold, None when all do."""

    outcome: Outcome
    clause: Clause | None


def parse_policy(text: str) -> Policy:
    """Return the policy of a text; raises InvalidInput with the field "policy" and the clause that is wrong."""
    if len(text) > POLICY_CHARACTERS_MAX:
        raise InvalidInput(f"a policy has at most {POLICY_CHARACTERS_MAX} characters, got {len(text)}", FIELD)
    parts = [part.strip(SPACES) for part in text.split(";")]
    clauses = tuple(_parse_clause(part) for part in parts if part)
    if len(clauses) > POLICY_CLAUSES_MAX:
        raise InvalidInput(f"a policy has at most {POLICY_CLAUSES_MAX} clauses, got {len(clauses)}", FIELD)
    return Policy(clauses)


def evaluate_policy(policy: Policy, facts: CandidateFacts) -> Decision:
    """Return whether a candidate may serve, and if not because of which clause."""
    for clause in policy.clauses:
        outcome = evaluate_clause(clause, facts)
        if outcome is not Outcome.HOLDS:
            return Decision(outcome, clause)
    return Decision(Outcome.HOLDS, None)


def evaluate_clause(clause: Clause, facts: CandidateFacts) -> Outcome:
    """Return what one clause says of a candidate; a fact that is absent, or known on worse evidence, is unknown."""
    if clause.operator is Operator.AT_MOST:
        # The platform's own record is measured, so any grade that is demanded is reached.
        age_s = facts.attestation_age_s
        return Outcome.UNKNOWN if age_s is None else _judge(is_held=age_s <= clause.bound)
    fact = facts.known.get(clause.fact)
    if fact is None or (clause.grade is not None and not fact.grade.is_at_least(clause.grade)):
        return Outcome.UNKNOWN
    if clause.operator is Operator.NONE:
        return _judge(is_held=not fact.values)
    wanted = frozenset(clause.values)
    is_matched = any(is_matching(clause.fact, value, wanted) for value in fact.values)
    return _judge(is_held=is_matched is (clause.operator is Operator.IN))


def is_matching(fact: FactName, value: str, wanted: AbstractSet[str]) -> bool:
    """Tell whether a value is one of those wanted, or lies in a country that is."""
    return value in wanted or (fact in PLACES and value.partition("-")[0] in wanted)


def _judge(*, is_held: bool) -> Outcome:
    return Outcome.HOLDS if is_held else Outcome.FAILS


def _parse_clause(text: str) -> Clause:
    match = _CLAUSE.fullmatch(text)
    if match is None:
        raise _refuse(
            text, "expected FACT in VALUES, FACT not in VALUES, FACT none or FACT <= NUMBER, and @ GRADE if any"
        )
    fact, grade = match["fact"], match["grade"]
    if fact not in list(FactName):
        raise _refuse(text, f"there is no fact '{fact}'; there are {', '.join(FactName)}")
    if grade is not None and grade not in list(Grade):
        raise _refuse(text, f"there is no grade '{grade}'; there are {', '.join(Grade)}")
    operator = _choose_operator(match)
    if (operator is Operator.AT_MOST) is not (fact == FactName.ATTESTATION_AGE_S):
        raise _refuse(text, f"{FactName.ATTESTATION_AGE_S} is a number and needs <=, no other fact does")
    if operator is Operator.NONE and fact != FactName.ADVISORY:
        raise _refuse(text, f"only {FactName.ADVISORY} can be none")
    return Clause(
        fact=FactName(fact),
        operator=operator,
        values=tuple(re.findall(_VALUE, match["values"] or "")),
        bound=int(match["bound"] or 0),
        grade=None if grade is None else Grade(grade),
    )


def _choose_operator(match: re.Match[str]) -> Operator:
    if match["bound"]:
        return Operator.AT_MOST
    if match["none"]:
        return Operator.NONE
    return Operator.IN if match["operator"] == Operator.IN else Operator.NOT_IN


def _refuse(clause: str, reason: str) -> InvalidInput:
    return InvalidInput(f"policy clause '{clause}': {reason}", FIELD)
