"""Policies as they are set: normalised, refused if they can never match, and what a parent's change leaves without a match."""

from collections.abc import Iterable, Sequence
from functools import cache

from keisan.control.context import Control
from keisan.domain.access import OrganizationScope, Principal, Right
from keisan.domain.chip import list_facts
from keisan.domain.event import EventDraft
from keisan.domain.fact import CHIP_FACTS, FactName
from keisan.domain.key import Key
from keisan.domain.organization import Organization
from keisan.domain.policy import CandidateFacts, Policy, evaluate_policy, parse_policy
from keisan.domain.policy_conflict import check_policy, find_conflict
from keisan.domain.project import Project
from keisan.storage.base import Transaction
from keisan.wire.policy import PolicyChipView, PolicyView

# An event names that many; how many there are it says in any case.
NAMED_MAX = 20


def settle_policy(control: Control, text: str, above: Sequence[str]) -> str:
    """Return the normalised text of a policy below those `above`, widest first.

    Raises InvalidInput, naming the clause, if it does not parse or can never match.
    """
    policy = parse_policy(text)
    check_policy(policy, [parse_policy(layer) for layer in above], control.chips)
    return str(policy)


def explain_policy(control: Control, principal: Principal, text: str) -> PolicyView:
    """Return what a policy says of the chips that the catalogue knows; what it says of places it leaves open.

    Raises PermissionDenied, or InvalidInput for a policy that could not be set.
    """
    principal.require(Right.READ)
    policy = parse_policy(settle_policy(control, text, ()))
    of_chips = Policy(tuple(clause for clause in policy.clauses if clause.fact in (FactName.CHIP, *CHIP_FACTS)))
    lines = []
    for chip_id, chip in sorted(control.chips.items()):
        decision = evaluate_policy(of_chips, CandidateFacts(list_facts(chip), None))
        clause = None if decision.clause is None else str(decision.clause)
        lines.append(PolicyChipView(chip=chip_id, outcome=decision.outcome, clause=clause))
    return PolicyView(policy=str(policy), clauses=tuple(str(clause) for clause in policy.clauses), chips=tuple(lines))


async def note_conflicts(transaction: Transaction, actor: str, changed: Organization | Project) -> None:
    """Write an event if a changed policy leaves projects or keys below it without any match.

    The change stands: the gateways refuse their calls, which fails closed, and the event tells whose.
    """
    if isinstance(changed, Organization):
        noun, scope, organization = "organization", OrganizationScope(changed.id), changed
        projects = tuple(await transaction.projects.list_all(scope))
    else:
        noun, scope = "project", OrganizationScope(changed.organization_id)
        organization, projects = await transaction.organizations.get(scope, changed.organization_id), (changed,)
    conflicting = find_conflicting(organization, projects, await transaction.keys.list_in_force(scope))
    if conflicting:
        detail = {
            "count": str(len(conflicting)),
            "named": ", ".join(f"{type(each).__name__.lower()} {each.id}" for each in conflicting[:NAMED_MAX]),
        }
        await transaction.events.append(EventDraft(actor, f"{noun}.policy_conflicts", changed.id, detail))


def find_conflicting(
    organization: Organization, projects: Sequence[Project], keys: Iterable[Key]
) -> list[Project | Key]:
    """Return the projects whose policy leaves no match under their organization's, and the keys for which theirs does."""

    # Thousands of keys share a few policies.
    @cache
    def is_conflicting(*layers: str) -> bool:
        return find_conflict([parse_policy(layer) for layer in layers]) is not None

    found: list[Project | Key] = [each for each in projects if is_conflicting(organization.policy, each.policy)]
    policies = {project.id: project.policy for project in projects if project not in found}
    found += [
        key
        for key in keys
        if key.project_id in policies and is_conflicting(organization.policy, policies[key.project_id], key.policy)
    ]
    return found
