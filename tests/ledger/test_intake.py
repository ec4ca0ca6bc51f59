"""Intake of usage on a real SQLite file: each record once whatever happens, and the books always balanced."""

import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import ClassVar
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from keisan.domain.account import AccountKind
from keisan.domain.errors import StorageUnavailable
from keisan.domain.ids import RecordId
from keisan.domain.machine import Machine
from keisan.domain.page import PageRequest
from keisan.domain.usage import IntakeOutcome, UsageRecord
from keisan.kit.clock import to_milliseconds
from keisan.ledger.intake import accept_usage
from keisan.storage.usage import UsageRepository
from keisan.wire.usage_record import parse_usage_record
from tests.domain.samples import name_id, name_record_id
from tests.factories import NOW, World, create_machine
from tests.ledger.intake_world import SCOPE, IntakeWorld, open_world, plant_template

RECORD_ID = name_record_id(1)
COST_NANO = 30_500
CREATED, EXISTS = IntakeOutcome.CREATED, IntakeOutcome.EXISTS
DIFFERS, REFUSED = IntakeOutcome.DIFFERS, IntakeOutcome.REFUSED
NEXT_DAY = NOW + timedelta(days=1)
OTHER_DAY = {"admitted_at_ms": to_milliseconds(NEXT_DAY), "day": NEXT_DAY.date().isoformat()}


async def hand_in(ledger: IntakeWorld, *lines: bytes) -> list[IntakeOutcome]:
    return [answer.outcome for answer in await ledger.hand_in(*lines)]


async def test_new_record_is_created_and_posted_once(ledger: IntakeWorld) -> None:
    (answer,) = await ledger.hand_in(ledger.write_record(RECORD_ID))
    assert (answer.position, answer.record_id, answer.outcome, answer.code) == (0, RECORD_ID, CREATED, "")
    balances = await ledger.read_balances()
    assert balances[ledger.world.left.organization.id] == -COST_NANO
    assert balances[ledger.world.left.provider.id] == COST_NANO
    async with ledger.storage.read() as view:
        stored = await view.usage.get(SCOPE, RecordId(RECORD_ID))
        postings = await view.accounts.list_postings(SCOPE, ledger.world.left.wallet_id, PageRequest())
        entry = await view.entries.get(SCOPE, postings[0].entry_id)
    assert stored.record.amount_nano == COST_NANO
    assert stored.charge.entry_id == entry.id
    assert entry.record_count == 1
    assert sum(posting.amount_nano for posting in postings) == COST_NANO
    assert {posting.debit_account_id for posting in postings} == {ledger.world.left.wallet_id}
    assert ledger.world.left.payable_id in {posting.credit_account_id for posting in postings}


async def test_one_posting_stands_for_all_records_of_a_pair_of_accounts(ledger: IntakeWorld) -> None:
    await ledger.hand_in(*(ledger.write_record(name_record_id(number)) for number in range(1, 6)))
    async with ledger.storage.read() as view:
        postings = await view.accounts.list_postings(SCOPE, ledger.world.left.wallet_id, PageRequest())
    assert sum(posting.amount_nano for posting in postings) == 5 * COST_NANO
    assert {posting.record_count for posting in postings} == {5}
    assert len({posting.credit_account_id for posting in postings}) == len(postings)


async def test_amount_is_split_by_what_was_in_force_at_admission(ledger: IntakeWorld) -> None:
    """The world's offers ask for the whole price and tax is taken within it, so the platform pays the difference."""
    await ledger.hand_in(ledger.write_record(RECORD_ID))
    async with ledger.storage.read() as view:
        accounts = (await view.accounts.list(SCOPE, PageRequest())).items
        charge = (await view.usage.get(SCOPE, RecordId(RECORD_ID))).charge
    balances = {account.kind: account.balance_nano for account in accounts if account.balance_nano}
    assert charge.tax_nano > 0
    assert charge.provider_nano > 0
    assert balances == {
        AccountKind.WALLET: -COST_NANO,
        AccountKind.PROVIDER_PAYABLE: charge.provider_nano,
        AccountKind.TAX: charge.tax_nano,
        AccountKind.PLATFORM_REVENUE: COST_NANO - charge.provider_nano - charge.tax_nano,
    }


async def test_repeat_within_a_batch_is_counted_once(ledger: IntakeWorld) -> None:
    line = ledger.write_record(RECORD_ID)
    assert await hand_in(ledger, line, line, line) == [CREATED, EXISTS, EXISTS]
    assert (await ledger.read_balances())[ledger.world.left.organization.id] == -COST_NANO


async def test_repeat_across_batches_is_counted_once(ledger: IntakeWorld) -> None:
    line = ledger.write_record(RECORD_ID)
    outcomes = [await hand_in(ledger, line) for _ in range(3)]
    assert outcomes == [[CREATED], [EXISTS], [EXISTS]]
    assert (await ledger.read_balances())[ledger.world.left.organization.id] == -COST_NANO
    assert await ledger.count_quarantined() == 0


async def test_same_id_with_other_content_differs_and_is_kept_for_a_person(ledger: IntakeWorld) -> None:
    first, second = ledger.write_record(RECORD_ID), ledger.write_record(RECORD_ID, quantities={"input": 1})
    assert await hand_in(ledger, first, second) == [CREATED, DIFFERS]
    assert await hand_in(ledger, second) == [DIFFERS]
    assert (await ledger.read_balances())[ledger.world.left.organization.id] == -COST_NANO
    assert await ledger.count_quarantined() == 1


async def test_same_id_on_another_day_is_refused(ledger: IntakeWorld) -> None:
    assert await hand_in(ledger, ledger.write_record(RECORD_ID)) == [CREATED]
    (answer,) = await ledger.hand_in(ledger.write_record(RECORD_ID, **OTHER_DAY))
    assert (answer.outcome, answer.code) == (REFUSED, "wrong_day")
    assert (await ledger.read_balances())[ledger.world.left.organization.id] == -COST_NANO


async def test_claim_of_another_day_does_not_hide_that_a_record_is_stored(ledger: IntakeWorld) -> None:
    good = ledger.write_record(RECORD_ID, ledger.world.left)
    bad = ledger.write_record(RECORD_ID, ledger.world.left, **OTHER_DAY)
    await ledger.hand_in(good)
    for batch in ((good, bad), (bad, good)):
        answers = await ledger.hand_in(*batch)
        assert {line: answer.outcome for line, answer in zip(batch, answers, strict=True)} == {
            good: EXISTS,
            bad: REFUSED,
        }


async def test_record_of_another_day_than_its_admission_is_refused(ledger: IntakeWorld) -> None:
    (answer,) = await ledger.hand_in(ledger.write_record(RECORD_ID, day=NEXT_DAY.date().isoformat()))
    assert (answer.outcome, answer.code) == (REFUSED, "wrong_day")


FORGERIES: dict[str, tuple[str, dict[str, object]]] = {
    "platform": ("wrong_platform", {"platform_id": "cd" * 32}),
    "gateway": ("wrong_gateway", {"gateway_id": str(name_id(4, 9))}),
    "key": ("unknown_key", {"key_id": str(name_id(3, 9))}),
    "organization": ("unknown_key", {"organization_id": str(name_id(1, 9))}),
    "price": ("unknown_price", {"price_id": str(name_id(10, 9))}),
    "model": ("unknown_price", {"model_id": str(name_id(9, 9))}),
    "replica": ("unknown_replica", {"replica_id": str(name_id(12, 9))}),
    "provider": ("unknown_replica", {"provider_id": str(name_id(5, 9))}),
    "day": ("wrong_day", OTHER_DAY),
    "amount": ("amount_mismatch", {"amount_nano": "1"}),
    "version": ("malformed", {"schema_version": 2}),
    "number": ("malformed", {"duration_us": 2**70}),
}


@pytest.mark.parametrize(("code", "changes"), FORGERIES.values(), ids=FORGERIES)
async def test_forged_record_is_refused_and_blocks_no_other(
    ledger: IntakeWorld, code: str, changes: dict[str, object]
) -> None:
    lines = [
        ledger.write_record(name_record_id(1)),
        ledger.write_record(name_record_id(2), **changes),
        ledger.write_record(name_record_id(3)),
    ]
    answers = await ledger.hand_in(*lines)
    assert [answer.outcome for answer in answers] == [CREATED, REFUSED, CREATED]
    assert answers[1].code == code
    assert await ledger.count_quarantined() == 1
    assert (await ledger.read_balances())[ledger.world.left.organization.id] == -2 * COST_NANO


@pytest.mark.parametrize("line", [b"", b"{", b"\x00\x00", b"\xff\xfe", b"a" * 5000, b"\xed\xa0\x80"])
async def test_line_that_is_no_record_is_refused_and_blocks_no_other(ledger: IntakeWorld, line: bytes) -> None:
    first, second = await ledger.hand_in(line, ledger.write_record(RECORD_ID))
    assert (first.outcome, first.code, first.record_id) == (REFUSED, "malformed", None)
    assert second.outcome is CREATED
    assert await ledger.count_quarantined() == 1


async def test_key_of_one_organization_cannot_pay_for_another(ledger: IntakeWorld) -> None:
    stranger = str(ledger.world.right.organization.id)
    (answer,) = await ledger.hand_in(ledger.write_record(RECORD_ID, organization_id=stranger))
    assert answer.code == "unknown_key"


async def test_replica_of_one_provider_cannot_be_paid_to_another(ledger: IntakeWorld) -> None:
    stranger = str(ledger.world.right.provider.id)
    (answer,) = await ledger.hand_in(ledger.write_record(RECORD_ID, provider_id=stranger))
    assert answer.code == "unknown_replica"


async def test_record_of_another_gateway_is_refused(ledger: IntakeWorld) -> None:
    other = create_machine()
    async with ledger.storage.write() as transaction:
        await transaction.machines.insert(other)
    (answer,) = await accept_usage(ledger.storage, ledger.journal, other.id, [ledger.write_record(RECORD_ID)])
    assert answer.code == "wrong_gateway"


async def revoke_gateway(ledger: IntakeWorld) -> Machine:
    """Revoke the gateway, and return the machine that has joined in its place."""
    successor = create_machine()
    async with ledger.storage.write() as transaction:
        gateway = await transaction.machines.get(SCOPE, ledger.world.gateway.id)
        await transaction.machines.update(replace(gateway, revoked_at=NOW, version=gateway.version + 1))
        await transaction.machines.insert(successor)
    return successor


async def test_record_that_a_revoked_gateway_left_is_posted_for_its_successor(ledger: IntakeWorld) -> None:
    successor, line = await revoke_gateway(ledger), ledger.write_record(RECORD_ID)
    for outcome in (CREATED, EXISTS):
        (answer,) = await accept_usage(ledger.storage, ledger.journal, successor.id, [line])
        assert answer.outcome is outcome
    assert (await ledger.read_balances())[ledger.world.left.organization.id] == -COST_NANO


async def test_record_of_a_revoked_sites_agent_is_refused(ledger: IntakeWorld) -> None:
    agent = create_machine(ledger.world.left.site)
    async with ledger.storage.write() as transaction:
        await transaction.machines.insert(replace(agent, revoked_at=NOW))
    (answer,) = await ledger.hand_in(ledger.write_record(RECORD_ID, gateway_id=str(agent.id)))
    assert answer.code == "wrong_gateway"


async def test_what_is_posted_is_not_quarantined_when_another_gateway_repeats_it(ledger: IntakeWorld) -> None:
    line = ledger.write_record(RECORD_ID)
    assert await hand_in(ledger, line) == [CREATED]
    (answer,) = await accept_usage(ledger.storage, ledger.journal, create_machine().id, [line])
    assert answer.outcome is EXISTS
    assert await ledger.count_quarantined() == 0


async def test_record_that_cost_nothing_is_kept_and_moves_nothing(ledger: IntakeWorld) -> None:
    line = ledger.write_record(RECORD_ID, quantities={}, usage_source="none")
    assert await hand_in(ledger, line) == [CREATED]
    assert set((await ledger.read_balances()).values()) == {0}


async def test_batch_that_cannot_be_committed_leaves_nothing(
    ledger: IntakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last thing that a batch writes is its quarantine: what fails there must undo all before it.
    async def fail(*_: object) -> None:
        raise StorageUnavailable("the disk is full")

    lines = [ledger.write_record(RECORD_ID), b"no record"]
    with monkeypatch.context() as patch:
        patch.setattr("keisan.ledger.intake._quarantine_bad", fail)
        with pytest.raises(StorageUnavailable):
            await ledger.hand_in(*lines)
    assert set((await ledger.read_balances()).values()) == {0}
    assert await hand_in(ledger, *lines) == [CREATED, REFUSED]


async def test_same_batch_from_two_requests_at_once_counts_once(ledger: IntakeWorld) -> None:
    lines = [ledger.write_record(name_record_id(number)) for number in range(1, 20)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(hand_in(ledger, *lines)) for _ in range(4)]
    outcomes = [task.result() for task in tasks]
    assert sorted(outcomes) == [[CREATED] * 19, *([[EXISTS] * 19] * 3)]
    assert (await ledger.read_balances())[ledger.world.left.organization.id] == -19 * COST_NANO


async def test_id_that_two_gateways_claim_at_once_is_the_first_ones(
    ledger: IntakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, new = ledger.write_record(RECORD_ID), ledger.write_record(name_record_id(2))
    assert await hand_in(ledger, line) == [CREATED]

    async def find_nothing(*_: object) -> Mapping[RecordId, bytes]:
        return {}

    with monkeypatch.context() as patch:
        # As while the other gateway's batch is not committed yet.
        patch.setattr(UsageRepository, "find_digests", find_nothing)
        with pytest.raises(StorageUnavailable, match="again"):
            await hand_in(ledger, line, new)
    assert await hand_in(ledger, line, new) == [EXISTS, CREATED]
    assert (await ledger.read_balances())[ledger.world.left.organization.id] == -2 * COST_NANO


SPECIFICATIONS = st.tuples(
    st.integers(min_value=1, max_value=8),
    st.sampled_from(["left", "right"]),
    st.sampled_from(["good"] * 6 + ["more", "free", *FORGERIES]),
)


class Books(RuleBasedStateMachine):
    """Random batches with repeats, changes and forgeries, in any order, beside the simplest account of them."""

    template: ClassVar[Path]
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.created: dict[UUID, UsageRecord] = {}
        self.bad: set[bytes] = set()
        self.lines: list[bytes] = []
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.stack = AsyncExitStack()
        opening = open_world(Path(self.folder.name) / "keisan.db", self.template, self.world)
        self.ledger = self.runner.run(self.stack.enter_async_context(opening))

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    def write_line(self, number: int, side_name: str, kind: str) -> bytes:
        side = self.world.left if side_name == "left" else self.world.right
        changes: dict[str, dict[str, object]] = {
            "good": {},
            "more": {"quantities": {"input": 10**15, "output": number}},
            "free": {"quantities": {}},
            **{name: forged for name, (_, forged) in FORGERIES.items()},
        }
        return self.ledger.write_record(name_record_id(number), side, **changes[kind])

    def expect(self, line: bytes, *, is_forged: bool) -> IntakeOutcome:
        """Return the right answer to the next line, and note it."""
        if is_forged:
            self.bad.add(line)
            return REFUSED
        record = parse_usage_record(line)
        known = self.created.setdefault(record.id, record)
        if known is record:
            return CREATED
        if known == record:
            return EXISTS
        self.bad.add(line)
        return DIFFERS

    @rule(specifications=st.lists(SPECIFICATIONS, min_size=1, max_size=8))
    def hand_in_batch(self, specifications: list[tuple[int, str, str]]) -> None:
        lines = [self.write_line(*specification) for specification in specifications]
        expected = [
            self.expect(line, is_forged=kind in FORGERIES)
            for line, (_, _, kind) in zip(lines, specifications, strict=True)
        ]
        answers = self.runner.run(self.ledger.hand_in(*lines))
        assert [answer.outcome for answer in answers] == expected
        assert [answer.position for answer in answers] == list(range(len(lines)))
        self.lines += lines

    @rule(order=st.randoms(use_true_random=False))
    def replay_everything(self, order: Random) -> None:
        lines = list(self.lines)
        order.shuffle(lines)
        if lines:
            before = self.runner.run(self.ledger.read_balances())
            answers = self.runner.run(self.ledger.hand_in(*lines))
            assert CREATED not in {answer.outcome for answer in answers}
            assert self.runner.run(self.ledger.read_balances()) == before

    @invariant()
    def books_balance(self) -> None:
        assert set(self.runner.run(self.ledger.sum_balances()).values()) <= {0}
        balances = self.runner.run(self.ledger.read_balances())
        for side in (self.world.left, self.world.right):
            cost_nano = sum(
                record.amount_nano
                for record in self.created.values()
                if record.context.organization_id == side.organization.id
            )
            assert balances[side.organization.id] == -cost_nano
            assert balances[side.provider.id] == cost_nano

    @invariant()
    def every_bad_line_is_kept_once(self) -> None:
        assert self.runner.run(self.ledger.count_quarantined()) == len(self.bad)


def test_books_balance_whatever_is_handed_in(tmp_path: Path) -> None:
    Books.template = tmp_path / "template.db"
    Books.world = asyncio.run(plant_template(Books.template))
    run_state_machine_as_test(Books, settings=settings(max_examples=30, stateful_step_count=8))
