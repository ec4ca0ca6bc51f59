"""A platform of few routes over real HTTP, speaking the wire types: it can be stopped and started again on its port."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

from keisan.domain.access import MachineKind
from keisan.domain.challenge import ChallengeState
from keisan.domain.errors import StateConflict
from keisan.domain.key import Secret, digest_secret
from keisan.domain.replica import ReplicaState
from keisan.domain.sample import FrameHead
from keisan.kit.clock import SystemClock
from keisan.wire.challenge import ChallengeAnswer, ChallengeCommit, ChallengeOpening, ChallengeOrder, ChallengeTaken
from keisan.wire.door import DoorOrder
from keisan.wire.frame import decode_frame
from keisan.wire.inventory import Inventory, decode_inventory
from keisan.wire.machine import MachineJoin, MachineView
from keisan.wire.site import OrderAction, ReplicaOrder, ReplicaReport, SiteOrders, SiteReport
from tests.agent.live_platform import LivePlatform
from tests.ports import find_free_port

JOIN_TOKEN = "jt-keisan-test"
MACHINE_ID = UUID("01900000-0000-7000-8000-000000000001")
SITE_ID = UUID("01900000-0000-7000-8000-000000000002")
PERIOD_S = 0.1


class SmallPlatform:
    """Keeps the last report, and answers with `orders`."""

    def __init__(self) -> None:
        self.orders: dict[UUID, ReplicaOrder] = {}
        self.reports: list[SiteReport] = []
        self.joined: list[MachineJoin] = []
        self.inventories: list[Inventory] = []
        self.frames: list[tuple[FrameHead, int]] = []
        self.live = LivePlatform(SystemClock())
        self.door: DoorOrder | None = None
        self.refusal: int | None = None
        self.refused_count = 0
        self.refused_frames = 0
        self.period_s = PERIOD_S
        self.challenges: tuple[ChallengeOrder, ...] = ()
        self.positions: tuple[int, ...] = ()
        self.commits: dict[UUID, ChallengeCommit] = {}
        self.answers: dict[UUID, ChallengeAnswer] = {}
        self.answer_refusal: int | None = None
        self.tries: Counter[UUID] = Counter()
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it is, also while it is stopped."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        platform = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, text = platform.answer(self.path, self.headers.get("authorization", ""), body)
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002  # the name that http.server gives it
                """Say nothing."""

        self._port = self._port or find_free_port()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body, as the real routes do for what an agent may ask."""
        if self.refusal is not None:
            self.refused_count += 1
            self.refused_frames += path == "/api/v1/site/frame"
            return self.refusal, b'{"detail": "not now"}'
        if path == "/api/v1/machines/join":
            return self._join(MachineJoin.model_validate_json(body))
        secret = Secret(authorization.removeprefix("Bearer "))
        if digest_secret(secret) not in {join.secret_digest for join in self.joined}:
            return 401, b'{"detail": "unknown"}'
        if path == "/api/v1/site/frame":
            return self._take_frame(body)
        if path == "/api/v1/site/inventory":
            self.live.take_inventory(body)
            self.inventories.append(decode_inventory(body))
            return 200, b'{"incarnation": "", "version": 0, "device_count": 0}'
        if path.startswith("/api/v1/site/challenges/"):
            return self._take_challenge(path, body)
        assert path == "/api/v1/site/report"
        self.reports.append(SiteReport.model_validate_json(body))
        orders = SiteOrders(
            orders=tuple(self.orders.values()),
            next_report_s=self.period_s,
            door=self.door,
            challenges=self.challenges,
        )
        return 200, orders.model_dump_json().encode()

    def _take_frame(self, body: bytes) -> tuple[int, bytes]:
        head, numbers, _ = decode_frame(body)
        try:
            outcome = self.live.take_frame(body)
        except StateConflict as refusal:
            return 409, json.dumps({"detail": refusal.outside}).encode()
        self.frames.append((head, len(numbers)))
        return 200, json.dumps({"outcome": outcome}).encode()

    def _take_challenge(self, path: str, body: bytes) -> tuple[int, bytes]:
        challenge_id, action = path.split("/")[-2:]
        if action == "commit":
            commit = ChallengeCommit.model_validate_json(body)
            self.commits[UUID(challenge_id)] = commit
            positions = () if commit.commitment is None else self.positions
            return 200, ChallengeOpening(positions=positions).model_dump_json().encode()
        self.tries[UUID(challenge_id)] += 1
        if self.answer_refusal is not None:
            return self.answer_refusal, b'{"detail": "no room"}'
        self.answers[UUID(challenge_id)] = ChallengeAnswer.model_validate_json(body)
        return 200, ChallengeTaken(state=ChallengeState.ANSWERED).model_dump_json().encode()

    def _join(self, body: MachineJoin) -> tuple[int, bytes]:
        if body.token != JOIN_TOKEN:
            return 401, b'{"detail": "this join token is unknown"}'
        self.joined.append(body)
        view = MachineView(
            id=MACHINE_ID,
            platform_id="0" * 64,
            kind=MachineKind.SITE,
            site_id=SITE_ID,
            name=body.name,
            acknowledged_version=0,
            seen_at=None,
            version=1,
            created_at=datetime.now(UTC),
            revoked_at=None,
        )
        return 201, view.model_dump_json().encode()

    def find_replica(self, replica_id: UUID) -> ReplicaReport | None:
        """Return what was last told of a replica."""
        for entry in self.reports[-1].replicas if self.reports else ():
            if entry.replica_id == replica_id:
                return entry
        return None

    def is_told(self, replica_id: UUID, state: ReplicaState) -> bool:
        """Tell whether the last report has the replica in this state."""
        entry = self.find_replica(replica_id)
        return entry is not None and entry.state is state

    def order_stop(self, replica_id: UUID) -> None:
        """Order one replica to stop."""
        self.orders[replica_id] = self.orders[replica_id].model_copy(update={"action": OrderAction.STOP})


@contextmanager
def run_small_platform() -> Iterator[SmallPlatform]:
    """Give a platform that listens on a free port."""
    platform = SmallPlatform()
    platform.start()
    try:
        yield platform
    finally:
        platform.stop()
