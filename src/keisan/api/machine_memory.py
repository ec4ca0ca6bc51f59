"""Who handed in frames of late, so that a database that does not answer darkens no site that is well."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from keisan.domain.access import Principal
from keisan.domain.errors import StorageUnavailable, Unauthenticated
from keisan.domain.key import Secret, digest_secret
from keisan.domain.limits import MACHINE_LOOK_S_MAX, MACHINE_REST_S, MACHINE_UNSEEN_S_MAX, MACHINES_REMEMBERED_MAX
from keisan.kit.clock import Clock
from keisan.kit.observe import write_warning


@dataclass(slots=True)
class MachineMemory:
    """The database is asked first. Only while it does not answer is a machine known that was within MACHINE_UNSEEN_S_MAX.

    What a machine may do this way is hand in frames; a revocation is in the database, and ends it as soon as that answers.
    """

    clock: Clock
    _known: OrderedDict[str, tuple[Principal, float]] = field(default_factory=OrderedDict)
    _rests_until_s: float = float("-inf")

    async def find(self, secret: Secret, look: Callable[[], Awaitable[Principal]]) -> Principal:
        """Return who `look` finds, or who it was.

        Raises Unauthenticated as it does, StorageUnavailable for who is not known.
        """
        digest, now_s = digest_secret(secret), self.clock.monotonic_s()
        known, seen_s = self._known.get(digest, (None, 0.0))
        if now_s - seen_s >= MACHINE_UNSEEN_S_MAX:
            known = None
        # Not each frame waits: while the database rests, who is known is not asked about.
        if known is not None and now_s < self._rests_until_s:
            return known
        try:
            async with asyncio.timeout(MACHINE_LOOK_S_MAX):
                found = await look()
        except (TimeoutError, StorageUnavailable) as fault:
            self._note_silence(now_s)
            if known is None:
                raise StorageUnavailable("the database does not answer now") from fault
            return known
        except Unauthenticated:
            self._known.pop(digest, None)
            raise
        self._known[digest] = (found, now_s)
        self._known.move_to_end(digest)
        if len(self._known) > MACHINES_REMEMBERED_MAX:
            self._known.popitem(last=False)
        return found

    def _note_silence(self, now_s: float) -> None:
        if now_s >= self._rests_until_s:
            self._rests_until_s = now_s + MACHINE_REST_S
            write_warning("machines.from_memory", for_s=MACHINE_REST_S)
