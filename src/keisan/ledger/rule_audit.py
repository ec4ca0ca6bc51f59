"""Audit rules: what an entry must be, beside what is stored of it. Values in, the first difference out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from keisan.domain.account import Account, Posting
from keisan.domain.entry import ChainEnd, Entry, EntryKind, digest_postings, hash_header, read_header
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import AccountId, PlatformId, PriceId
from keisan.domain.merkle import compute_root
from keisan.domain.payout import Payout
from keisan.domain.price import Price, compute_amount_nano
from keisan.domain.statement import RecordsSeal, Statement, compute_due_nano, name_period
from keisan.domain.statement_document import digest_document, read_document
from keisan.domain.suspense import SuspendedRecord
from keisan.domain.usage import EPOCH, PostedRecord
from keisan.kit.signature import is_signed_by
from keisan.ledger.receipt import hash_leaves, order_records
from keisan.ledger.rule_suspense import ENTRY_KINDS

Moves = Mapping[tuple[AccountId, AccountId], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it should be, where, and the two values."""

    what: str
    where: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class JudgedEntry:
    """An entry of a judgement, with its postings."""

    entry: Entry
    postings: Sequence[Posting]


def name_entry(entry: Entry) -> str:
    """Return how a difference names an entry."""
    return f"entry {entry.sequence} ({entry.id})"


def check_chain(entry: Entry, before: ChainEnd, platform_id: PlatformId, public_key: bytes) -> Difference | None:
    """Return how an entry does not follow the one before it, or is not the platform's."""
    where = name_entry(entry)
    try:
        seal = read_header(entry.header)
    except InvalidInput as fault:
        return Difference("header", where, "the header of an entry", fault.outside)
    columns = (entry.id, entry.platform_id, entry.sequence, entry.kind, entry.record_count, entry.hash)
    told = (seal.entry_id, seal.platform_id, seal.sequence, seal.kind, seal.record_count, hash_header(entry.header))
    if columns != told or (entry.created_at - EPOCH) // timedelta(milliseconds=1) != seal.created_at_ms:
        return Difference("columns", where, str(told), str(columns))
    if (seal.sequence, seal.previous_hash) != (before.sequence + 1, before.hash):
        return Difference(
            "chain", where, f"{before.sequence + 1} {before.hash}", f"{seal.sequence} {seal.previous_hash}"
        )
    if (seal.sequence == 1) is not (seal.kind is EntryKind.OPENING):
        return Difference("opening", where, "one opening, which is the first entry", str(seal.kind))
    if seal.platform_id != platform_id or not is_signed_by(public_key, entry.header, entry.signature):
        return Difference("signature", where, f"platform {platform_id}", entry.signature.hex())
    return None


def check_entry(entry: Entry, records: Sequence[PostedRecord], postings: Iterable[Posting]) -> Difference | None:
    """Return how records and postings are not those that an entry seals; its header has been read before."""
    seal, where = read_header(entry.header), name_entry(entry)
    if len(records) != seal.record_count:
        return Difference("record count", where, str(seal.record_count), str(len(records)))
    root = compute_root(hash_leaves(order_records(records))).hex()
    if root != seal.records_root:
        return Difference("records", where, seal.records_root, root)
    digest = digest_postings(postings)
    if digest != seal.postings_digest:
        return Difference("postings", where, seal.postings_digest, digest)
    return None


def check_records(entry: Entry, records: Iterable[PostedRecord], prices: Mapping[PriceId, Price]) -> Difference | None:
    """Return the first record whose amount is not what its pinned price makes of its quantities."""
    for posted in records:
        record, price = posted.record, prices.get(posted.record.context.price_id)
        where = f"record {record.id} of {name_entry(entry)}"
        if price is None:
            return Difference("price", where, f"price {record.context.price_id}", "none")
        expected_nano = compute_amount_nano(price.nano_per_million, record.quantities)
        if (record.amount_nano, posted.charge.currency) != (expected_nano, price.currency):
            return Difference(
                "amount", where, f"{expected_nano} {price.currency}", f"{record.amount_nano} {posted.charge.currency}"
            )
    return None


def check_postings(entry: Entry, expected: Moves, postings: Iterable[Posting]) -> Difference | None:
    """Return how postings are not what an entry's records make together."""
    found = {
        (posting.debit_account_id, posting.credit_account_id): (posting.amount_nano, posting.record_count)
        for posting in postings
    }
    for pair in sorted(expected.keys() | found.keys()):
        if expected.get(pair) != found.get(pair):
            where = f"{name_entry(entry)}, debit {pair[0]}, credit {pair[1]}"
            return Difference("posting", where, str(expected.get(pair)), str(found.get(pair)))
    return None


def check_statement(statement: Statement, public_key: bytes, seal: RecordsSeal | None) -> Difference | None:
    """Return how a closed statement is not the one that was signed, or not what its records come to, if that is known."""
    where = name_statement(statement)
    if not is_signed_by(public_key, statement.document, statement.signature):
        return Difference("signature", where, "the platform's", statement.signature.hex())
    content = read_document(statement.document)
    told = (content.id, content.holder, content.period, content.totals, content.balances, content.entry_sequence)
    columns = (
        statement.id,
        statement.holder,
        statement.period,
        statement.totals,
        statement.balances,
        statement.entry_sequence,
    )
    digest = digest_document(statement.document)
    if (*told, content.records_root, digest) != (*columns, statement.records_root, statement.document_sha256):
        return Difference("columns", where, f"{told} {content.records_root} {digest}", str(columns))
    stored = RecordsSeal(content.totals.record_count, content.totals.amount_nano, statement.records_root)
    return Difference("statement", where, str(stored), str(seal)) if seal not in (None, stored) else None


def check_payout(payout: Payout, statement: Statement, moved: Sequence[Posting]) -> Difference | None:
    """Return how a payout is not what its statement says, or not what its entry moved."""
    where = f"payout {payout.id}"
    due_nano = compute_due_nano(statement)
    moved_nano = sum(posting.amount_nano for posting in moved)
    if not payout.amount_nano == due_nano == moved_nano:
        return Difference("payout", where, f"{due_nano} due, {moved_nano} moved", str(payout.amount_nano))
    return None


def check_judgement(suspended: SuspendedRecord, judged: JudgedEntry | None, expected: Moves) -> Difference | None:
    """Return how a judgement of a suspended record is not what its entry says and moved."""
    where = f"suspended record {suspended.record_id}"
    told = (suspended.record_id, suspended.entry_id, suspended.entry_sequence, ENTRY_KINDS[suspended.state])
    if judged is None:
        return Difference("judgement", where, "the entry of its judgement", str(told))
    entry = judged.entry
    found = (read_header(entry.header).noun_id, entry.id, entry.sequence, entry.kind)
    if told != found:
        return Difference("judgement", where, str(found), str(told))
    return check_postings(entry, expected, judged.postings)


def check_suspense(account: Account, unjudged_nano: int) -> Difference | None:
    """Return how suspense did not pay for all that is not judged, and for nothing else."""
    if account.balance_nano == -unjudged_nano:
        return None
    return Difference("suspense", f"suspense account {account.id}", str(-unjudged_nano), str(account.balance_nano))


def name_statement(statement: Statement) -> str:
    """Return how a difference names a statement."""
    return f"statement {statement.id} of {statement.holder.kind} {statement.holder.id}, {name_period(statement.period)}"
