"""Escrow rules on values: who is leased tickets at all, and what binds them."""

from dataclasses import replace
from uuid import UUID

import pytest

from keisan.domain.account import Account, AccountKind
from keisan.domain.budget import Budget
from keisan.domain.holder import Holder
from keisan.domain.ids import AccountId, KeyId, OrganizationId
from keisan.domain.organization import Billing
from keisan.ledger.rule_budget import BudgetBook
from keisan.ledger.rule_escrow import EscrowFacts, SetAside, build_bounds
from keisan.ledger.rule_ticket import Bound
from tests.domain.samples import (
    KEY_ID,
    NOW,
    ORGANIZATION_ID,
    PLATFORM_ID,
    PROJECT_ID,
    build_budget,
    build_key,
    build_organization,
    name_id,
)

ORGANIZATION, PROJECT = Holder(ORGANIZATION_ID), Holder(ORGANIZATION_ID, PROJECT_ID)
KEY = Holder(ORGANIZATION_ID, PROJECT_ID, KEY_ID)
OF_ORGANIZATION, OF_PROJECT = build_budget(), build_budget(project_id=PROJECT_ID)
OF_KEY = build_budget(project_id=PROJECT_ID, key_id=KEY_ID)
WALLET = Account(AccountId(name_id(18)), PLATFORM_ID, AccountKind.WALLET, ORGANIZATION_ID, None, "CNY", 70, NOW)


def know(*budgets: Budget, billing: Billing = Billing.POSTPAID) -> EscrowFacts:
    by_holder: dict[UUID, list[Budget]] = {}
    for budget in budgets:
        by_holder.setdefault(budget.holder.id, []).append(budget)
    organization = build_organization(billing=billing)
    return EscrowFacts({ORGANIZATION_ID: organization}, {KEY_ID: build_key()}, by_holder, PLATFORM_ID, NOW)


@pytest.mark.parametrize(
    ("facts", "leasable"),
    [
        (know(), ()),
        (know(billing=Billing.PREPAID), (ORGANIZATION,)),
        (know(OF_ORGANIZATION), (ORGANIZATION,)),
        (know(OF_PROJECT), (PROJECT,)),
        (know(OF_KEY, billing=Billing.PREPAID), (ORGANIZATION, KEY)),
        (know(OF_ORGANIZATION, OF_PROJECT, OF_KEY), (ORGANIZATION, PROJECT, KEY)),
    ],
    ids=["nobody", "prepaid", "organization", "project", "key", "all"],
)
def test_holder_has_budgets_or_is_a_prepaid_organization(facts: EscrowFacts, leasable: tuple[Holder, ...]) -> None:
    assert tuple(each for each in (ORGANIZATION, PROJECT, KEY) if facts.is_leasable(each, "CNY")) == leasable


def test_currency_that_somebody_on_the_path_does_not_bound_fails_closed() -> None:
    facts = know(replace(OF_PROJECT, currency="USD"), OF_KEY, replace(OF_KEY, currency="USD"), billing=Billing.PREPAID)
    assert [facts.is_leasable(KEY, currency) for currency in ("CNY", "USD", "EUR")] == [False, True, False]
    assert facts.is_leasable(ORGANIZATION, "EUR"), "it has no budgets, and pays from its wallet"


def test_nobody_is_leased_for_who_is_not_there() -> None:
    facts = know(OF_KEY)
    assert not replace(facts, organizations={}).is_leasable(KEY, "CNY")
    assert not replace(facts, keys={}).is_leasable(KEY, "CNY")
    assert not replace(facts, keys={KEY_ID: build_key(revoked_at=NOW)}).is_leasable(KEY, "CNY")
    assert not facts.is_prepaid(Holder(OrganizationId(name_id(1, 2))))


def open_book(budget: Budget, spent_nano: int = 0) -> BudgetBook:
    return BudgetBook(budget, "UTC", {budget.count_step(NOW, "UTC"): spent_nano})


def test_every_bound_on_the_path_binds_the_finest_first() -> None:
    books = [open_book(OF_ORGANIZATION, 10), open_book(OF_KEY, 130), open_book(replace(OF_PROJECT, currency="USD"))]
    other_key = replace(OF_KEY, key_id=KeyId(name_id(3, 2)))
    bounds = build_bounds(KEY, WALLET, "CNY", SetAside([*books, open_book(other_key)], (), NOW))
    assert bounds == (Bound(KEY, -30), Bound(ORGANIZATION, 90), Bound(ORGANIZATION, 70, is_wallet=True))
    assert build_bounds(PROJECT, None, "CNY", SetAside(books, (), NOW)) == (Bound(ORGANIZATION, 90),)
    assert build_bounds(PROJECT, None, "CNY", SetAside([], (), NOW)) == ()
