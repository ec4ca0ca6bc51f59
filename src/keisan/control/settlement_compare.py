"""Comparing a settlement with the other side: down both trees, by letters, and what one of them lacks is told again as it was signed."""

from collections.abc import Sequence
from uuid import UUID

from keisan.control.context import Control
from keisan.control.office import Office
from keisan.control.settlement_batch import draft_batch
from keisan.control.settlement_period import list_leaves
from keisan.control.settlement_sign import answer_settlement, draft_settlement_letter, open_letter
from keisan.control.settlement_total import draft_total
from keisan.domain.access import PlatformScope
from keisan.domain.ids import PlatformId, RecordId
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.limits import COMPARISON_NODES_MAX
from keisan.domain.settlement import SettlementKey
from keisan.federation.rule_comparison import Difference, LeafTree, compare_node
from keisan.storage.base import Transaction
from keisan.wire.letter import LetterDraft
from keisan.wire.settlement import ComparisonBody, read_comparison, write_comparison

EVERYTHING = PlatformScope()


async def apply_comparison(transaction: Transaction, office: Office, _arrival: Arrival, letter: Letter) -> None:
    """Answer what is asked of a settlement's tree, go further down what was told, and hand over what the other side lacks.

    Raises InvalidInput for a settlement of others, and for a subtree that no tree has.
    """
    control = office.control
    correspondence = open_letter(office, letter)
    body = read_comparison(letter.body)
    key = SettlementKey(body.author, body.audience, body.period)
    correspondence.check_pair(key)
    tree = LeafTree(tuple(await list_leaves(transaction, key)))
    told = [tree.show(prefix) for prefix in body.asked]
    asked: list[str] = []
    differences: list[Difference] = []
    for node in body.told:
        below, found = compare_node(tree, node)
        asked += below
        differences += found
    wanted = [each.leaf_id for each in differences if each.here is None]
    drafts = [
        draft_settlement_letter(control, LetterKind.COMPARISON, write_comparison(step), letter.author)
        for step in split_steps(key, ComparisonBody(*_name(key), tuple(asked), tuple(told), tuple(wanted)))
    ]
    lacking = [*body.wanted, *(each.leaf_id for each in differences if each.there is None)]
    drafts += await draft_leaves(transaction, control, key, lacking, letter.author)
    if drafts:
        await answer_settlement(transaction, control, drafts)


def split_steps(key: SettlementKey, step: ComparisonBody) -> list[ComparisonBody]:
    """Return a step as several that are each within what a letter may name; none for one that says nothing."""
    names, steps = _name(key), list[ComparisonBody]()
    most = COMPARISON_NODES_MAX
    for first in range(0, max(len(step.asked), len(step.told), len(step.wanted)), most):
        part = slice(first, first + most)
        steps.append(ComparisonBody(*names, step.asked[part], step.told[part], step.wanted[part]))
    return steps


async def draft_leaves(
    transaction: Transaction, control: Control, key: SettlementKey, leaf_ids: Sequence[UUID], audience: PlatformId
) -> list[LetterDraft]:
    """Return letters that tell leaves again, each batch once and with the bytes that its author signed."""
    ends = await transaction.cross_records.list_ends(EVERYTHING, [RecordId(leaf_id) for leaf_id in leaf_ids])
    batch_ids = {each.batch_id for each in ends if each.usage.author == key.author and each.batch_id is not None}
    drafts: list[LetterDraft] = []
    for batch_id in sorted(batch_ids):
        batch = await transaction.cross_batches.find(EVERYTHING, batch_id)
        records = await transaction.cross_records.list_batch(EVERYTHING, batch_id)
        if batch is not None and len(records) == batch.header.record_count:
            drafts.append(draft_batch(control, batch, records, audience))
    told = await transaction.totals.list_by_ids(EVERYTHING, leaf_ids) if leaf_ids else []
    # Only their author tells totals: the letter's signature is theirs.
    own = [each for each in told if key.author == control.platform_id == each.total.author]
    return drafts + [draft_total(control, each) for each in own]


def _name(key: SettlementKey) -> tuple[PlatformId, PlatformId, str]:
    return key.author, key.audience, key.period
