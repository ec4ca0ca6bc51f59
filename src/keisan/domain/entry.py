"""A journal entry: postings that belong together, sealed. Entries form one chain, each signed with the platform's key.

What is signed is the header: the exact bytes of one line of JSON, kept and handed on as they were signed.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from keisan.domain.account import Posting
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import EntryId, PlatformId

FIRST_ENTRY_HASH = "0" * 64
ENTRY_SCHEMA = "keisan.entry.1"


class EntryKind(StrEnum):
    """Why money moved."""

    # The first entry: it seals what was posted before there was a journal, if anything was.
    OPENING = "opening"
    USAGE = "usage"
    # What another platform served for an organization of this one.
    CROSS_USAGE = "cross_usage"
    TOP_UP = "top_up"
    CREDIT_NOTE = "credit_note"
    PAYOUT = "payout"
    DISPUTE = "dispute"
    # What a person has judged of a record that suspense paid for.
    SUSPENSE_CHARGE = "suspense_charge"
    SUSPENSE_WRITE_OFF = "suspense_write_off"


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last entry's sequence and hash: 0 and FIRST_ENTRY_HASH before the first."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class EntrySeal:
    """What a header says. `sequence` has no gaps and begins with 1.

    `records_root` is the Merkle root over the receipts of the entry's `record_count` usage records, in order of record id;
    `postings_digest` is of its postings; `noun_id` names what the entry is about, None for usage. All hashes are hex.
    """

    platform_id: PlatformId
    sequence: int
    entry_id: EntryId
    kind: EntryKind
    noun_id: UUID | None
    created_at_ms: int
    record_count: int
    records_root: str
    postings_digest: str
    previous_hash: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is kept: `header` are the signed bytes, `hash` the hex SHA-256 of them, `signature` 64 bytes of Ed25519."""

    id: EntryId
    platform_id: PlatformId
    sequence: int
    kind: EntryKind
    record_count: int
    header: bytes
    hash: str
    signature: bytes
    created_at: datetime


def digest_postings(postings: Iterable[Posting]) -> str:
    """Return the hex SHA-256 of postings in order of their accounts, one line each: who, whom, what, how much, of how many records."""
    lines = sorted(
        f"{line.debit_account_id} {line.credit_account_id} {line.currency} {line.amount_nano} {line.record_count}\n"
        for line in postings
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_header(seal: EntrySeal) -> bytes:
    """Return the bytes that are signed."""
    content = {
        "schema": ENTRY_SCHEMA,
        "platform_id": seal.platform_id,
        "sequence": seal.sequence,
        "entry_id": str(seal.entry_id),
        "kind": str(seal.kind),
        "noun_id": str(seal.noun_id) if seal.noun_id else None,
        "created_at_ms": seal.created_at_ms,
        "record_count": seal.record_count,
        "records_root": seal.records_root,
        "postings_digest": seal.postings_digest,
        "previous_hash": seal.previous_hash,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def read_header(header: bytes) -> EntrySeal:
    """Return what signed bytes say; raises InvalidInput for anything but a header, written as write_header does."""
    try:
        content = json.loads(header)
        if content.pop("schema") != ENTRY_SCHEMA:
            raise InvalidInput("this entry is of another schema", "entry")
        noun_id = content.pop("noun_id")
        seal = EntrySeal(
            entry_id=EntryId(UUID(content.pop("entry_id"))),
            kind=EntryKind(content.pop("kind")),
            noun_id=UUID(noun_id) if noun_id else None,
            **content,
        )
        is_exact = write_header(seal) == header
    except (ValueError, TypeError, AttributeError, KeyError) as fault:
        raise InvalidInput("this is not the header of an entry", "entry", str(fault)) from fault
    if not is_exact:
        raise InvalidInput("this is not the header of an entry", "entry")
    return seal


def hash_header(header: bytes) -> str:
    """Return what the next entry names as the one before it: the hex SHA-256 of the signed bytes."""
    return hashlib.sha256(header).hexdigest()
