"""The storage contract for what crosses links: logs to and from each neighbour, and registers of all platforms.

A link is named by its id; which neighbour it leads to is the link's own row. All of it is
the platform's own: in any other scope there is nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from keisan.domain.access import Scope
from keisan.domain.ids import LetterId, LinkId, PlatformId
from keisan.domain.letter import Letter, RefusedLetter
from keisan.domain.link_log import LinkLog, LogCursor, LogEnd, LogItem, SettledPeriod
from keisan.domain.register import RegisterKey, RegisterLine, RegisterPlace, RegisterSource


class OutgoingLogRepository(Protocol):
    """Logs of letters to neighbours. What is appended commits with what caused it, and is kept until its period is settled."""

    async def append(self, link_id: LinkId, log: LinkLog, letters: Sequence[Letter]) -> LogEnd:
        """Append letters in order and return the log's end; locks the end until commit.

        A letter that is kept in this log already, by its author and id, is passed over. The first append begins the log's
        first incarnation.
        """
        ...

    async def has_letter(self, link_id: LinkId, log: LinkLog, letter: Letter) -> bool:
        """Tell whether a letter is kept in a log, by its author and id."""
        ...

    async def list_ends(self, scope: Scope) -> Mapping[tuple[LinkId, LinkLog], LogEnd]:
        """Return where all logs of all links are."""
        ...

    async def get_end(self, scope: Scope, link_id: LinkId, log: LinkLog) -> LogEnd | None:
        """Return where the log is; None before the first letter."""
        ...

    async def read(
        self, scope: Scope, link_id: LinkId, log: LinkLog, after_sequence: int, bytes_max: int
    ) -> Sequence[LogItem]:
        """Return items in order after a sequence, of at most `bytes_max` together but at least one if there is one.

        They are LINK_BATCH_LETTERS_MAX at most, and begin with the first that is kept: a sequence before that is no fault here.
        """
        ...

    async def find_hash(self, scope: Scope, link_id: LinkId, log: LinkLog, sequence: int) -> bytes | None:
        """Return the running hash at a sequence that is kept, or was trimmed last; None for any other."""
        ...

    async def begin_incarnation(self, link_id: LinkId, log: LinkLog, incarnation: UUID) -> LogEnd:
        """Number all kept items anew from 1, in their order, in another incarnation of the log, and return its end.

        Hashes begin anew too, and nothing of it is acknowledged. For the incarnation that it has already nothing changes.
        """
        ...

    async def acknowledge(self, link_id: LinkId, log: LinkLog, incarnation: UUID, sequence: int) -> None:
        """Note that the neighbour has applied everything up to a sequence; never backwards.

        What names another incarnation, or is beyond the end, changes nothing.
        """
        ...

    async def trim(self, link_id: LinkId, settled: Iterable[SettledPeriod], kept_after: datetime) -> None:
        """Drop items from the oldest on, up to the first that must be kept.

        One with a period must be kept until it is in `settled` (at most 30,000 of them), one without until it is acknowledged,
        and while it was appended after `kept_after`.
        """
        ...


class IncomingLogRepository(Protocol):
    """Logs of letters from neighbours: how far they are applied, and the letters, kept as long as their senders keep them."""

    async def get_cursor(self, scope: Scope, link_id: LinkId, log: LinkLog) -> LogCursor | None:
        """Return how far the log is applied; None before anything of it was."""
        ...

    async def move_cursor(self, link_id: LinkId, log: LinkLog, before: LogCursor | None, after: LogCursor) -> None:
        """Move the cursor in the transaction that applies; raises StateConflict unless it stands at `before`."""
        ...

    async def keep(self, link_id: LinkId, log: LinkLog, letters: Sequence[Letter]) -> Sequence[LetterId]:
        """Keep letters and return the ids of those that are new here, in order: only these are applied.

        New is what this log does not keep by its author and id. Who handles letters knows those that were trimmed. Locks the
        log until commit.
        """
        ...

    async def read(
        self, scope: Scope, link_id: LinkId, log: LinkLog, after: LetterId | None, bytes_max: int
    ) -> Sequence[bytes]:
        """Return kept letters (encoded) in the order in which they came, after one of them, at least one if there is one.

        They are LINK_BATCH_LETTERS_MAX at most. After one that is not kept any more they begin anew with the first.
        """
        ...

    async def trim(self, link_id: LinkId, settled: Iterable[SettledPeriod], kept_after: datetime) -> None:
        """Drop letters as OutgoingLogRepository.trim does, from wherever they are."""
        ...


class RegisterRepository(Protocol):
    """The newest word of every platform on every name, as letters; tombstones too.

    `source` is the link that a register came by, None for one of the platform's own.
    """

    async def find(self, scope: Scope, key: RegisterKey) -> Letter | None: ...
    async def find_source(self, scope: Scope, author: PlatformId) -> RegisterSource | None:
        """Return how an author's registers come: as its PLATFORM register did, else the one put last; None if nothing is kept of it."""
        ...

    async def put(self, letter: Letter, source: LinkId | None) -> bool:
        """Keep a letter if it is newer than what is kept of its key (RegisterMark), and tell whether it was.

        What is not newer changes nothing, its source neither: whoever was told of a register could tell it back.
        """
        ...

    async def list_lines(self, scope: Scope, source: LinkId | None) -> Sequence[RegisterLine]:
        """Return a line for each register of one source."""
        ...

    async def list_places(self, scope: Scope, after_change: int) -> Sequence[RegisterPlace]:
        """Return where all registers are that were put after a change, in order; 0 for all. Each put is one more change."""
        ...

    async def list_letters(self, scope: Scope, keys: Sequence[RegisterKey]) -> Sequence[Letter]:
        """Return what is kept of some keys."""
        ...

    async def list_kind(self, scope: Scope, kind: str) -> Sequence[Letter]:
        """Return all registers of a kind that are not deleted, in order of author and name."""
        ...

    async def redirect(self, key: RegisterKey, source: LinkId) -> None:
        """Let a register be one that came by another link: its author is on that side now."""
        ...

    async def forget_source(self, source: LinkId) -> None:
        """Drop what came by a link that has ended: it comes anew by another, or nobody vouches for it."""
        ...


class RefusedLetterRepository(Protocol):
    """Letters that were acknowledged and not applied: one bad letter never blocks a log, and none is lost."""

    async def insert(self, refused: RefusedLetter) -> None:
        """Keep one; the same letter again changes nothing."""
        ...

    async def list_link(self, scope: Scope, link_id: LinkId | None, limit: int) -> Sequence[RefusedLetter]:
        """Return the newest first: of one link, or of all for None."""
        ...

    async def drop(self, letter_id: LetterId) -> None:
        """Forget one that was judged, or applied after all."""
        ...
