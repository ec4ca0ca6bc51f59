"""The sender's half of one log of a link: where the receiver is, whether both remember the same, and what goes next."""

from collections import deque
from enum import StrEnum

from keisan.domain.limits import LINK_BATCH_BYTES
from keisan.domain.link_log import FIRST_HASH, LinkLog, LogCursor, LogEnd, LogItem
from keisan.federation.effect import Alarm, Effect, FindHash, LinkFault, OpenIncarnation, ReadItems, Send
from keisan.wire.link import Ack, End, Fork, Items, LinkMessage, encode_message


class SendingPhase(StrEnum):
    """Comparing until it is known where to go on; forked until the receiver has begun the log's incarnation anew."""

    COMPARING = "comparing"
    FORKED = "forked"
    SENDING = "sending"


class LogSending:
    """Sends one log from where the receiver's cursor stands. Nothing outlives the connection."""

    def __init__(self, log: LinkLog, end: LogEnd | None) -> None:
        self.log = log
        self.end = end
        self._announced = end.incarnation if end else None
        self.phase = SendingPhase.COMPARING
        self.acknowledged = 0
        self._read = 0
        self._is_reading = False
        # What was read last was nothing, though something is to be sent: it is read again when the log is told of anew.
        self._is_stalled = False
        self._loaded: tuple[LogItem, ...] = ()
        self._under_way: deque[tuple[int, int]] = deque()
        self._compared: LogCursor | None = None

    def meet(self, cursor: LogCursor | None) -> list[Effect]:
        """Take where the receiver says that it stands: go on, look closer, or fork."""
        end = self.end
        if end is None:
            return self._go_on(0) if cursor is None else self._fork()
        if cursor is None or cursor.incarnation != end.incarnation:
            return self._begin_anew(cursor)
        if cursor.sequence > end.sequence:
            return self._fork()
        if cursor.sequence < end.trimmed_sequence:
            return [self._build_gap(cursor.sequence), *self._fork()]
        if cursor.sequence == 0:
            return self._compare(cursor, FIRST_HASH)
        self._compared = cursor
        return [FindHash(self.log, cursor.sequence)]

    def take_hash(self, found: bytes | None) -> list[Effect]:
        """Take the own hash at the receiver's cursor."""
        assert self._compared is not None
        return self._compare(self._compared, found)

    def take_opened(self, end: LogEnd) -> list[Effect]:
        """Take the incarnation that was begun, and tell the receiver."""
        self.end = end
        fork = Fork(log=self.log, end=describe_end(end))
        return [Send(encode_message(fork))]

    def take_ack(self, ack: Ack) -> int:
        """Take an acknowledgement and return how many bytes it answers; raises LinkFault for one of what was never sent."""
        if self.end is None or ack.incarnation != self.end.incarnation:
            # Of an incarnation that has ended meanwhile.
            return 0
        if self.phase is SendingPhase.FORKED and ack.sequence == 0:
            self._go_on(0)
            return 0
        if self.phase is not SendingPhase.SENDING or not self.acknowledged <= ack.sequence <= self._last_sent:
            raise LinkFault("wrong_ack", f"{self.log}: {ack.sequence} was acknowledged and not sent")
        self.acknowledged = ack.sequence
        answered = 0
        while self._under_way and self._under_way[0][0] <= ack.sequence:
            answered += self._under_way.popleft()[1]
        return answered

    def note_end(self, end: LogEnd) -> None:
        """Take that the own log has grown, or was trimmed; raises LinkFault where what comes next was."""
        if self.end is None or end.incarnation == self.end.incarnation:
            self.end = end
            self._is_stalled = False
            self._check_trimmed(end.trimmed_sequence)

    def want_items(self) -> list[Effect]:
        """Ask for the next items if there are some and none are loaded."""
        if self.phase is not SendingPhase.SENDING or self._is_reading or self._is_stalled or self._loaded:
            return []
        if self.end is None or self._read >= self.end.sequence:
            return []
        self._is_reading = True
        return [ReadItems(self.log, self._read, LINK_BATCH_BYTES)]

    def take_items(self, items: tuple[LogItem, ...]) -> None:
        """Take items that were read; they are sent at the log's next turn. Raises LinkFault where what comes next is gone."""
        self._is_reading = False
        self._is_stalled = not items
        if self.phase is not SendingPhase.SENDING or not items:
            return
        self._check_trimmed(items[0].sequence - 1)
        if items[0].sequence == self._read + 1:
            self._loaded = items
            self._read = items[-1].sequence

    @property
    def is_loaded(self) -> bool:
        """Tell whether something waits for its turn."""
        return bool(self._loaded)

    @property
    def is_waiting(self) -> bool:
        """Tell whether something is to be sent, loaded or not."""
        return self.phase is SendingPhase.SENDING and self.end is not None and self.acknowledged < self.end.sequence

    def send_items(self) -> tuple[LinkMessage, int]:
        """Return what was loaded as a message, and its size in bytes."""
        assert self.end is not None
        assert self._loaded
        items, self._loaded = self._loaded, ()
        size = sum(len(item.letter) for item in items)
        self._under_way.append((items[-1].sequence, size))
        message = Items(
            log=self.log,
            incarnation=self.end.incarnation,
            first_sequence=items[0].sequence,
            letters=tuple(item.letter for item in items),
            hash=items[-1].hash,
        )
        return message, size

    def _check_trimmed(self, sequence: int) -> None:
        """Raise LinkFault if all up to a sequence is gone and not sent: the receiver had it by another connection, and settled it."""
        if self.phase is SendingPhase.SENDING and sequence > self._read:
            raise LinkFault("log_trimmed", f"{self.log}: what follows {self._read} is settled and gone")

    @property
    def _last_sent(self) -> int:
        return self._under_way[-1][0] if self._under_way else self.acknowledged

    def _compare(self, cursor: LogCursor, own_hash: bytes | None) -> list[Effect]:
        return self._go_on(cursor.sequence) if cursor.hash == own_hash else self._fork()

    def _begin_anew(self, cursor: LogCursor | None) -> list[Effect]:
        """Send the whole incarnation to a receiver that knows nothing of it, once it has returned what it had of another."""
        assert self.end is not None
        if self.end.trimmed_sequence:
            # What was trimmed was countersigned; a receiver that has never had anything of it was restored from before.
            lost = [self._build_gap(0)] if cursor is None else []
            return [*lost, *self._fork()]
        if cursor is None:
            return self._go_on(0)
        self.phase = SendingPhase.FORKED
        if self.end.incarnation == self._announced:
            return []
        # It began after the first message was said, so the receiver has not heard of it.
        return self.take_opened(self.end)

    def _go_on(self, sequence: int) -> list[Effect]:
        self.phase = SendingPhase.SENDING
        self.acknowledged = self._read = sequence
        return []

    def _fork(self) -> list[Effect]:
        self.phase = SendingPhase.FORKED
        return [OpenIncarnation(self.log)]

    def _build_gap(self, sequence: int) -> Alarm:
        assert self.end is not None
        lost = f"the neighbour has {self.log} up to {sequence}, and {self.end.trimmed_sequence} are settled and gone"
        return Alarm("log_gap", lost)


def describe_end(end: LogEnd) -> End:
    """Return a log's end as it is said on the wire."""
    return End(
        incarnation=end.incarnation,
        sequence=end.sequence,
        hash=end.hash,
        trimmed_sequence=end.trimmed_sequence,
        trimmed_hash=end.trimmed_hash,
    )
