"""What is looked at as it is said, and not only at the end: acknowledgements behind commits, and the logs' share of a link."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from keisan.domain.link_log import LinkLog
from keisan.wire.link import Ack, Items, Registers, decode_message
from tests.simulation.federation.counter import State

if TYPE_CHECKING:
    from tests.simulation.federation.session import Session

STATE_PER_LOG = 4
_FORK, _RETURNED = b"\x92\xa4fork", b"\x92\xa8returned"
_ACK, _ITEMS, _REGISTERS = b"\x92\xa3ack", b"\x92\xa5items", b"\x92\xa9registers"


class Watch:
    """Sees every message as its sender hands it to the transport. `problems` is what was wrong with one."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.slack_bytes = 0
        self.states: Counter[str] = Counter()
        self._waited_bytes = WeakKeyDictionary["Session", int]()

    def see(self, session: Session, data: bytes) -> None:
        """Look at one message."""
        if data.startswith(_ACK):
            self._check_ack(session, decode_message(data))
        elif data.startswith(_REGISTERS):
            self._count_state(session, decode_message(data))
        elif data.startswith(_ITEMS):
            self._count_log(session, decode_message(data))
        elif data.startswith(_FORK):
            self.states[State.FORK] += 1
        elif data.startswith(_RETURNED):
            self.states[State.RETURNED] += 1

    def _check_ack(self, session: Session, message: object) -> None:
        assert isinstance(message, Ack)
        platform = session.platform
        log = platform.disk.tables.links.incoming.get((session.link.id, LinkLog(message.log)))
        cursor = log.cursor if log else None
        is_committed = cursor is not None and (
            cursor.incarnation != message.incarnation or cursor.sequence >= message.sequence
        )
        if not is_committed:
            self.problems.append(
                f"{platform.number} acknowledges {message.sequence} of {message.log} to {session.other} before its commit"
            )

    def _count_state(self, session: Session, message: object) -> None:
        """Let state go first, but not for ever: past four times what logs may send next, they are starved."""
        assert isinstance(message, Registers)
        if session.machine is None or not any(each.is_loaded for each in session.machine._sending.values()):
            self._waited_bytes.pop(session, None)
            return
        waited = self._waited_bytes.get(session, 0) + sum(map(len, message.letters))
        self._waited_bytes[session] = waited
        if waited > self.slack_bytes:
            self.problems.append(
                f"{session.platform.number} sends {waited} bytes of state to {session.other} while a log waits"
            )
            self._waited_bytes[session] = 0

    def _count_log(self, session: Session, message: object) -> None:
        assert isinstance(message, Items)
        sent = sum(map(len, message.letters))
        self._waited_bytes[session] = max(0, self._waited_bytes.get(session, 0) - STATE_PER_LOG * sent)
