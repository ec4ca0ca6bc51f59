"""The journal: the one way to move money. Postings, the records they are for, and a signed entry go in together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.account import AccountKey, Posting, Transfer
from keisan.domain.entry import Entry, EntryKind, EntrySeal, digest_postings, hash_header, write_header
from keisan.domain.ids import EntryId, PlatformId
from keisan.domain.merkle import compute_root
from keisan.kit.clock import Clock, from_milliseconds, to_milliseconds
from keisan.kit.ids import create_id
from keisan.kit.signature import Signer
from keisan.ledger.alert import note_wallet_moves
from keisan.ledger.paging import walk_pages
from keisan.ledger.receipt import hash_leaves
from keisan.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry before it is sealed: what moves, and the hashes of its records' leaves, in order of record id."""

    kind: EntryKind
    transfers: Sequence[Transfer]
    noun_id: UUID | None = None
    leaf_hashes: Sequence[bytes] = ()
    id: EntryId | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """Writes entries in a platform's name."""

    platform_id: PlatformId
    clock: Clock
    signer: Signer

    async def write_entry(self, transaction: Transaction, draft: EntryDraft) -> Entry:
        """Move the money and append the entry, signed; tell organizations whose wallets have become low by it.

        The end of the chain is locked until commit, so this comes last in a transaction, but for its events. Raises as
        AccountRepository.post does.
        """
        entry_id = draft.id or EntryId(create_id())
        # Whole milliseconds, for that is what the header says.
        created_at_ms = to_milliseconds(self.clock.now())
        accounts = await transaction.accounts.open(list_accounts(draft.transfers))
        postings = [
            Posting(
                entry_id=entry_id,
                debit_account_id=accounts[transfer.debit],
                credit_account_id=accounts[transfer.credit],
                currency=transfer.debit.currency,
                amount_nano=transfer.amount_nano,
                record_count=transfer.record_count,
                created_at=from_milliseconds(created_at_ms),
            )
            for transfer in draft.transfers
        ]
        moves = await transaction.accounts.post(postings)
        entry = await self._seal(transaction, replace(draft, id=entry_id), postings, created_at_ms)
        # After the chain's end, which an alert locks too: nothing new is waited for.
        await note_wallet_moves(transaction, moves, entry.created_at)
        return entry

    async def write_opening(self, transaction: Transaction) -> None:
        """Append the first entry where there is none yet: it seals what was posted before there was a journal."""
        end = await transaction.entries.lock_end()
        if end.sequence:
            return
        postings = await transaction.accounts.list_unsealed(PlatformScope())
        records = [each async for each in walk_pages(transaction.usage.list_unsealed)]
        draft = EntryDraft(EntryKind.OPENING, (), leaf_hashes=hash_leaves(records), id=EntryId(create_id()))
        await self._seal(transaction, draft, postings, to_milliseconds(self.clock.now()))

    async def _seal(
        self, transaction: Transaction, draft: EntryDraft, postings: Sequence[Posting], created_at_ms: int
    ) -> Entry:
        end = await transaction.entries.lock_end()
        assert draft.id is not None
        seal = EntrySeal(
            platform_id=self.platform_id,
            sequence=end.sequence + 1,
            entry_id=draft.id,
            kind=draft.kind,
            noun_id=draft.noun_id,
            created_at_ms=created_at_ms,
            record_count=len(draft.leaf_hashes),
            records_root=compute_root(draft.leaf_hashes).hex(),
            postings_digest=digest_postings(postings),
            previous_hash=end.hash,
        )
        header = write_header(seal)
        entry = Entry(
            id=seal.entry_id,
            platform_id=seal.platform_id,
            sequence=seal.sequence,
            kind=seal.kind,
            record_count=seal.record_count,
            header=header,
            hash=hash_header(header),
            signature=self.signer.sign(header),
            created_at=from_milliseconds(seal.created_at_ms),
        )
        await transaction.entries.append(entry)
        return entry


def list_accounts(transfers: Iterable[Transfer]) -> set[AccountKey]:
    """Return the accounts that transfers move money between."""
    return {key for transfer in transfers for key in (transfer.debit, transfer.credit)}
